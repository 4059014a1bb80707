/** A style sheet is imported for what it does: the build puts it beside the script. */
declare module '*.css';
