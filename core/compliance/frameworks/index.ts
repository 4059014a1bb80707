import type { Framework } from '../framework.ts';
import { cisKubernetes } from './cis-kubernetes.ts';
import { cra, nis2 } from './eu.ts';
import { iso27001 } from './iso-27001.ts';
import { nist80053 } from './nist-800-53.ts';
import { nist800190 } from './nist-800-190.ts';
import { nistCsf } from './nist-csf.ts';
import { pciDss } from './pci-dss.ts';
import { soc2 } from './soc-2.ts';

/** To add a framework, add a data file here, and one line. */
export const frameworks: readonly Framework[] = [
  nistCsf,
  nist80053,
  nist800190,
  cisKubernetes,
  pciDss,
  iso27001,
  soc2,
  nis2,
  cra,
];
