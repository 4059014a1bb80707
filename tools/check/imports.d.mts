export const topRooms: readonly string[];
export interface SourceFile {
  lines: number;
  uses: string[];
  imports: { specifier: string; typeOnly: boolean }[];
  exports: { name: string; isType: boolean }[];
}
export function readTree(folder: string, rooms?: readonly string[]): Map<string, SourceFile>;
export function programFiles(folder: string, room: string): readonly string[];
