/** What the intake needs of a logger; pino's fits. Nothing from an alert's texts is ever logged. */
export interface IntakeLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
