/** The logger interface that the intake needs; pino satisfies it. Nothing from an alert's texts is ever logged. */
export interface IntakeLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
