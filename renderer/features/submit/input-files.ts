/** A file of a folder, and where in it. */
export interface FolderFile {
  readonly path: string;
  readonly file: File;
}

/** What becomes the job's working folder. */
export type InputFiles = { readonly name: string; readonly bytes: number } & (
  | { readonly kind: 'zip'; readonly file: File }
  | { readonly kind: 'folder'; readonly files: readonly FolderFile[] }
);
