/** What may be paused of what declares workloads elsewhere, as the configuration says; see `docs/gitops.md`. */
export interface Pausing {
  /** Where applications are whose tracking mark names no namespace. */
  readonly argocd?: { readonly namespace: string; readonly instanceLabel?: string } | undefined;
  readonly flux?: boolean | undefined;
}
