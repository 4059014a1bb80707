import type { RuleJudgement } from './rule-judgement.ts';

/** What the agent's rules look at: their expressions, and whether they read a learned profile. */
const source = 'kubescape/node-agent v0.2.300, the rule’s expression';

/** Rules of Kubescape's node agent. Those that only say that a learned profile lacks something name no act. */
export const kubescapeRules: Readonly<Record<string, RuleJudgement>> = {
  'Unexpected process launched': {
    confidence: 'weak',
    isDebugging: true,
    why: 'it compares with what the agent has learned: each release and each rare code path differs from that',
    source,
  },
  'Unexpected file access': {
    confidence: 'weak',
    isDebugging: true,
    why: 'it compares with what the agent has learned: each release and each rare code path differs from that',
    source,
  },
  'Unexpected system call': {
    confidence: 'weak',
    isDebugging: true,
    why: 'it compares with what the agent has learned: each release and each rare code path differs from that',
    source,
  },
  'Unexpected capability used': {
    confidence: 'weak',
    isDebugging: true,
    why: 'it compares with what the agent has learned: each release and each rare code path differs from that',
    source,
  },
  'Unexpected domain request': {
    confidence: 'weak',
    isDebugging: true,
    why: 'it compares with what the agent has learned: each release and each rare code path differs from that',
    source,
  },
  'Unexpected Service Account Token Access': {
    confidence: 'likely',
    act: 'kubernetes-api',
    why: 'a program that never read the token reads it; a new release with a client of the API does so, too',
    source,
  },
  'Kubernetes Client Executed': {
    confidence: 'likely',
    isDebugging: true,
    act: 'kubernetes-api',
    why: 'most applications start no client of the API; people and jobs who work with the cluster do',
    source,
  },
  'Read Environment Variables from procfs': {
    confidence: 'likely',
    isDebugging: true,
    act: 'credentials',
    why: 'other processes’ environments hold their credentials; process viewers read them, too',
    source,
  },
  'eBPF Program Load': {
    confidence: 'likely',
    act: 'kernel',
    why: 'few pods load eBPF programs: network, security and tracing agents',
    source,
  },
  'Unexpected Sensitive File Access': {
    confidence: 'likely',
    act: 'credentials',
    why: 'password files are read by package scripts, too',
    source,
  },
  'Unexpected Egress Network Traffic': {
    confidence: 'weak',
    isDebugging: true,
    why: 'it compares with what the agent has learned: each release and each rare code path differs from that',
    source,
  },
  'Exec from malicious source': {
    confidence: 'likely',
    act: 'new-binary',
    why: 'malware runs from memory-backed folders; some test tools do it',
    source,
  },
  'Exec Binary Not In Base Image': {
    confidence: 'likely',
    isDebugging: true,
    act: 'new-binary',
    why: 'attackers bring their programs, and so do images that install at start and people who install a tool',
    source,
  },
  'Kernel Module Load': {
    confidence: 'likely',
    act: 'kernel',
    why: 'only drivers load modules from a pod, and those are few',
    source,
  },
  'Malicious SSH Connection': {
    confidence: 'likely',
    act: 'network',
    why: 'SSH to a port that the pod has not used before; some Git servers use such ports',
    source,
  },
  'Exec from mount': { confidence: 'weak', act: 'new-binary', why: 'scripts and plug-ins are often mounted into a pod', source },
  'Fileless Execution': {
    confidence: 'likely',
    act: 'new-binary',
    why: 'it leaves no file to scan; some language runtimes do it, too',
    source,
  },
  'Unshare System Call usage': {
    confidence: 'likely',
    act: 'escape',
    why: 'it is a step of many escapes; sandboxes of browsers and builders do it, too',
    source,
  },
  'XMR Crypto Mining Detection': {
    confidence: 'likely',
    act: 'miner',
    why: 'it recognises the arithmetic of RandomX by its rounding modes; few numeric programs set all of them',
    source,
  },
  'Crypto Mining Domain Communication': {
    confidence: 'likely',
    act: 'miner',
    why: 'it looks up the name of a mining pool; resolvers and scanners do so for others',
    source,
  },
  'Crypto Mining Related Port Communication': {
    confidence: 'weak',
    act: 'miner',
    why: 'the ports of mining pools are used by other programs, too',
    source,
  },
  'Symlink Created Over Sensitive File': {
    confidence: 'likely',
    act: 'credentials',
    why: 'no application links to password files, but a build can',
    source,
  },
  'LD_PRELOAD Hook': {
    confidence: 'likely',
    act: 'injection',
    why: 'it puts code into each program that starts; some profilers and allocators are loaded so',
    source,
  },
  'Hardlink Created Over Sensitive File': {
    confidence: 'likely',
    act: 'credentials',
    why: 'no application links to password files, but a build can',
    source,
  },
  'Malicious Ptrace Usage': {
    confidence: 'likely',
    isDebugging: true,
    act: 'injection',
    why: 'one process controls another; debuggers such as strace do it',
    source,
  },
  'Unexpected io_uring Operation Detected': {
    confidence: 'weak',
    act: 'privilege',
    why: 'databases and language runtimes use io_uring',
    source,
  },
  'Malware detected': {
    confidence: 'likely',
    act: 'new-binary',
    why: 'a file has the signature of known malware; test files and the data of scanners have it, too',
    source,
  },
};
