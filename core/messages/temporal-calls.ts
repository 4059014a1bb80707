/** Calls of Temporal's API, and their outcome for Firebreak when an outsider makes them. */
interface TemporalCalls {
  readonly outcome: string;
  /** As the SDK names them: https://api-docs.temporal.io. */
  readonly calls: string;
}

/** Every call that Temporal has, each once: additions in a newer version must be reviewed before it is adopted. */
export const temporalCalls: readonly TemporalCalls[] = [
  {
    outcome: 'what it carries is a message of the tables here: nothing counts that nobody of ours has signed for this one place',
    calls: `startWorkflowExecution signalWithStartWorkflowExecution executeMultiOperation signalWorkflowExecution updateWorkflowExecution queryWorkflow
      startActivityExecution respondWorkflowTaskCompleted respondQueryTaskCompleted createSchedule updateSchedule patchSchedule`,
  },
  {
    outcome:
      'no answer: the workflow asks again, for as long as the call may take. One that is failed with hours until its next attempt the cell has done when it looks next, and says so',
    calls: `respondActivityTaskCompleted respondActivityTaskCompletedById respondActivityTaskFailed respondActivityTaskFailedById respondActivityTaskCanceled
      respondActivityTaskCanceledById recordActivityTaskHeartbeat recordActivityTaskHeartbeatById`,
  },
  {
    outcome:
      'delay: what is taken here no process of ours gets. After two minutes the cell says so, and what waits is done once they stop',
    calls: 'pollWorkflowTaskQueue pollActivityTaskQueue respondWorkflowTaskFailed',
  },
  {
    outcome: 'delay: the cell begins the incident again, with all its alerts and questions, and says so',
    calls: 'terminateWorkflowExecution requestCancelWorkflowExecution deleteWorkflowExecution resetWorkflowExecution',
  },
  {
    outcome: 'delay: the cell takes it back when it looks next, and says so',
    calls:
      'pauseWorkflowExecution unpauseWorkflowExecution updateWorkflowExecutionOptions pauseActivity unpauseActivity resetActivity',
  },
  {
    outcome:
      'delay: of a call whose time or queue was changed, so that it comes to no answer, the cell says so after two minutes, and has what was ordered count again',
    calls: 'updateActivityOptions',
  },
  {
    outcome: 'the same as the calls that it makes one by one, to all at once',
    calls: 'startBatchOperation stopBatchOperation',
  },
  {
    outcome:
      'delay: how many are taken in a second can be bounded for a queue. The cell says that nobody takes what waits, and `firebreak doctor` which queue is held back',
    calls: 'updateTaskQueueConfig',
  },
  {
    outcome: 'delay: the cell takes back how new runs are begun; its own incidents begin with the build that it names',
    calls: `setWorkerDeploymentCurrentVersion setWorkerDeploymentRampingVersion setWorkerDeploymentManager deleteWorkerDeployment deleteWorkerDeploymentVersion
      createWorkerDeployment createWorkerDeploymentVersion updateWorkerDeploymentVersionMetadata`,
  },
  {
    outcome: 'nothing: Firebreak’s workers go by the newer way of versions, and are started by nobody but the cluster',
    calls: `updateWorkerBuildIdCompatibility updateWorkerVersioningRules setCurrentDeployment updateWorkerDeploymentVersionComputeConfig
      validateWorkerDeploymentVersionComputeConfig`,
  },
  {
    outcome:
      'a scheduled playbook runs late or not; the cell makes its schedules again. It never runs early, twice or about something else',
    calls: 'deleteSchedule',
  },
  {
    outcome:
      'nothing: a worker of ours asks for work again at once, keeps its settings, and remembers itself what it has in memory',
    calls: 'shutdownWorker resetStickyTaskQueue recordWorkerHeartbeat fetchWorkerConfig updateWorkerConfig',
  },
  {
    outcome:
      'what is deprecated or deleted takes no new run: people name another namespace, in which what is open begins again. How long histories are kept changes nothing that is open',
    calls: 'updateNamespace deprecateNamespace deleteNamespace',
  },
  {
    outcome: 'incidents are listed late or not by what they are about; the cell keeps them by itself, and no run needs them',
    calls: 'removeSearchAttributes addSearchAttributes',
  },
  {
    outcome: 'a rule that pauses calls: as if they were paused one by one',
    calls: 'createWorkflowRule deleteWorkflowRule triggerWorkflowRule',
  },
  {
    outcome:
      'nothing; where the server lets workers be told to give up what they do (off in 1.32), a call under way ends as if its process had crashed, and is made again',
    calls: `startNexusOperationExecution createNexusEndpoint updateNexusEndpoint deleteNexusEndpoint pollNexusTaskQueue respondNexusTaskCompleted
      respondNexusTaskFailed`,
  },
  {
    outcome: 'nothing: Firebreak has none of it',
    calls: `registerNamespace requestCancelActivityExecution terminateActivityExecution deleteActivityExecution pauseActivityExecution resetActivityExecution
      unpauseActivityExecution updateActivityExecutionOptions pollActivityExecution requestCancelNexusOperationExecution terminateNexusOperationExecution
      deleteNexusOperationExecution pollNexusOperationExecution pollWorkflowExecutionUpdate addOrUpdateRemoteCluster removeRemoteCluster`,
  },
  {
    outcome: 'they read what Temporal keeps: names, and with the payload key everything',
    calls: `describeNamespace listNamespaces getWorkflowExecutionHistory getWorkflowExecutionHistoryReverse listOpenWorkflowExecutions listClosedWorkflowExecutions
      listWorkflowExecutions listArchivedWorkflowExecutions scanWorkflowExecutions countWorkflowExecutions getSearchAttributes describeWorkflowExecution
      describeTaskQueue getClusterInfo getSystemInfo listTaskQueuePartitions describeSchedule listScheduleMatchingTimes listSchedules countSchedules
      getWorkerBuildIdCompatibility getWorkerVersioningRules getWorkerTaskReachability describeDeployment describeWorkerDeploymentVersion listDeployments
      getDeploymentReachability getCurrentDeployment describeWorkerDeployment listWorkerDeployments describeBatchOperation listBatchOperations
      describeWorkflowRule listWorkflowRules listWorkers countWorkers describeWorker describeActivityExecution describeNexusOperationExecution
      listActivityExecutions listNexusOperationExecutions countActivityExecutions countNexusOperationExecutions pollWorkflowExecutionTimeSkipping
      listSearchAttributes listClusters getNexusEndpoint listNexusEndpoints`,
  },
];

/** The call names of one row. */
export function namesIn({ calls }: TemporalCalls): readonly string[] {
  return calls.trim().split(/\s+/);
}
