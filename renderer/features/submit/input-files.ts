import type { UploadSource } from '../../../shared/lanyard-client.ts';

/** A file of a folder, and where in it. */
export interface FolderFile {
  readonly path: string;
  readonly file: File;
}

/** What becomes the job's working folder. */
export type InputFiles = { readonly name: string; readonly bytes: number } & (
  | { readonly kind: 'zip'; readonly source: UploadSource }
  | { readonly kind: 'folder'; readonly files: readonly FolderFile[] }
);

/** A file of the page, to be read in any order. */
export function sourceOf(name: string, file: Blob): UploadSource {
  return {
    name,
    bytes: file.size,
    read: async (start, end) => new Uint8Array(await file.slice(start, end).arrayBuffer()),
    handle: file,
  };
}
