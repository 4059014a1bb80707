/** Which tools that declare workloads elsewhere may be paused, according to the configuration; see `docs/gitops.md`. */
export interface Pausing {
  /** Namespace of applications whose tracking mark names none. */
  readonly argocd?: { readonly namespace: string; readonly instanceLabel?: string } | undefined;
  readonly flux?: boolean | undefined;
}
