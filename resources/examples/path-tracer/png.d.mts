/** 8 bits a channel, RGB, row by row from the top: `width * height * 3` bytes. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

export function encodePng(image: Image): Buffer;
export function decodePng(bytes: Buffer): Image;
export function contactSheet(images: readonly Image[], columns: number, gap?: number): Image;
