/** Calls of Temporal's API, and their outcome for Firebreak when an outsider makes them. */
interface TemporalCalls {
  readonly outcome: string;
  /** As the SDK names them: https://api-docs.temporal.io. */
  readonly calls: string;
}

/** Every call that Temporal has, each once: additions in a newer version must be reviewed before it is adopted. */
export const temporalCalls: readonly TemporalCalls[] = [
  {
    outcome: 'what it carries is a message of the tables here: nothing counts unless one of ours signed it for this one place',
    calls: `startWorkflowExecution signalWithStartWorkflowExecution executeMultiOperation signalWorkflowExecution updateWorkflowExecution queryWorkflow
      startActivityExecution respondWorkflowTaskCompleted respondQueryTaskCompleted createSchedule updateSchedule patchSchedule`,
  },
  {
    outcome:
      'no answer: the workflow asks again, for as long as the call may take. If a call is failed with hours until its next attempt, the cell has it made at its next check, and reports it',
    calls: `respondActivityTaskCompleted respondActivityTaskCompletedById respondActivityTaskFailed respondActivityTaskFailedById respondActivityTaskCanceled
      respondActivityTaskCanceledById recordActivityTaskHeartbeat recordActivityTaskHeartbeatById`,
  },
  {
    outcome:
      'delay: no process of ours gets what is taken here. After two minutes the cell reports it, and what is waiting is done once they stop',
    calls: 'pollWorkflowTaskQueue pollActivityTaskQueue respondWorkflowTaskFailed',
  },
  {
    outcome: 'delay: the cell starts the incident again, with all its alerts and questions, and reports it',
    calls: 'terminateWorkflowExecution requestCancelWorkflowExecution deleteWorkflowExecution resetWorkflowExecution',
  },
  {
    outcome: 'delay: the cell reverts it at its next check, and reports it',
    calls:
      'pauseWorkflowExecution unpauseWorkflowExecution updateWorkflowExecutionOptions pauseActivity unpauseActivity resetActivity',
  },
  {
    outcome:
      'delay: if the time or queue of a call was changed so that it gets no answer, the cell reports it after two minutes, and restores what was ordered',
    calls: 'updateActivityOptions',
  },
  {
    outcome: 'the same as making its calls one by one, but to all at once',
    calls: 'startBatchOperation stopBatchOperation',
  },
  {
    outcome:
      'delay: the rate at which tasks are taken from a queue can be limited. The cell reports that nobody takes what is waiting, and `firebreak doctor` shows which queue is held back',
    calls: 'updateTaskQueueConfig',
  },
  {
    outcome: 'delay: the cell reverts how new runs are started; its own incidents start with the build that it names',
    calls: `setWorkerDeploymentCurrentVersion setWorkerDeploymentRampingVersion setWorkerDeploymentManager deleteWorkerDeployment deleteWorkerDeploymentVersion
      createWorkerDeployment createWorkerDeploymentVersion updateWorkerDeploymentVersionMetadata`,
  },
  {
    outcome: 'nothing: Firebreak’s workers use the newer kind of versioning, and are started only by the cluster',
    calls: `updateWorkerBuildIdCompatibility updateWorkerVersioningRules setCurrentDeployment updateWorkerDeploymentVersionComputeConfig
      validateWorkerDeploymentVersionComputeConfig`,
  },
  {
    outcome:
      'a scheduled playbook runs late or not at all; the cell creates its schedules again. It never runs early, twice or about something else',
    calls: 'deleteSchedule',
  },
  {
    outcome:
      'nothing: a worker of ours asks for work again at once, keeps its settings, and itself remembers what it has in memory',
    calls: 'shutdownWorker resetStickyTaskQueue recordWorkerHeartbeat fetchWorkerConfig updateWorkerConfig',
  },
  {
    outcome:
      'a deprecated or deleted namespace accepts no new runs: people name another one, in which open incidents start again. How long histories are kept does not affect anything that is open',
    calls: 'updateNamespace deprecateNamespace deleteNamespace',
  },
  {
    outcome:
      'incidents are found by what they are about late or not at all; the cell keeps track of them itself, and no run needs the attributes',
    calls: 'removeSearchAttributes addSearchAttributes',
  },
  {
    outcome: 'a rule that pauses calls: as if they were paused one by one',
    calls: 'createWorkflowRule deleteWorkflowRule triggerWorkflowRule',
  },
  {
    outcome:
      'nothing; where the server lets workers be told to abandon their work (off in 1.32), a call in progress ends as if its process had crashed, and is made again',
    calls: `startNexusOperationExecution createNexusEndpoint updateNexusEndpoint deleteNexusEndpoint pollNexusTaskQueue respondNexusTaskCompleted
      respondNexusTaskFailed`,
  },
  {
    outcome: 'nothing: Firebreak does not use it',
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
