/**
 * The attributes by which Temporal can list incidents. Registered by the local platform, checked at start elsewhere. Temporal keeps these in plain text
 * whatever the codec does, so they hold names only. At most 8. They keep their values from the incident's start: a run that writes one stops for good if
 * somebody has removed it since.
 */
export const searchAttributes = [
  { name: 'FirebreakCluster', type: 'Keyword' },
  { name: 'FirebreakNamespace', type: 'Keyword' },
  { name: 'FirebreakNode', type: 'Keyword' },
  { name: 'FirebreakRule', type: 'KeywordList' },
  { name: 'FirebreakSeverity', type: 'Keyword' },
  { name: 'FirebreakState', type: 'Keyword' },
  { name: 'FirebreakWorkload', type: 'Keyword' },
] as const;

export type SearchAttributeName = (typeof searchAttributes)[number]['name'];
