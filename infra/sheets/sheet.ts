import sharp from 'sharp';

/** One place on a sheet: a picture with words below it, or words in its place. */
export interface Cell {
  readonly label: string;
  /** PNG of `PICTURE` by `PICTURE` pixels, or null for the words alone. */
  readonly picture: Buffer | null;
  readonly words: string;
}

const PICTURE = 128;
const CELL = { width: 168, height: 184, margin: 20 } as const;
const FONT = { family: 'DejaVu Sans, sans-serif', size: 8.5, leading: 12 } as const;
const LINE_CHARS = 23;

/** The cells in rows of `columns`, as a PNG. */
export async function sheetOf(cells: readonly Cell[], columns: number): Promise<Buffer> {
  const placed = cells.map((cell, index) => ({
    cell,
    left: (index % columns) * CELL.width + CELL.margin,
    top: Math.floor(index / columns) * CELL.height + CELL.margin,
  }));
  const width = columns * CELL.width;
  const height = Math.ceil(cells.length / columns) * CELL.height;
  const words = placed.map(svgOf).join('');
  const overlay = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${words}</svg>`;
  const pictures = placed.flatMap(({ cell: { picture }, left, top }) =>
    picture ? [{ input: picture, left, top }] : [],
  );
  return sharp({ create: { width, height, channels: 3, background: 'white' } })
    .composite([...pictures, { input: Buffer.from(overlay), left: 0, top: 0 }])
    .png({ compressionLevel: 9, palette: false })
    .toBuffer();
}

interface Placed {
  readonly cell: Cell;
  readonly left: number;
  readonly top: number;
}

function svgOf({ cell: { label, picture, words }, left, top }: Placed): string {
  const below = top + PICTURE + 14;
  const title = textAt(label, left, below);
  if (picture) return `${title}${textAt(words, left, below + FONT.leading)}`;
  const frame = `<rect x="${left}" y="${top}" width="${PICTURE}" height="${PICTURE}" fill="#eee"/>`;
  const lines = wrap(words).map((line, k) => textAt(line, left + 6, top + 16 + FONT.leading * k));
  return `${frame}${lines.join('')}${title}`;
}

function textAt(line: string, left: number, top: number): string {
  const escaped = line.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${left}" y="${top}" font-family="${FONT.family}" font-size="${FONT.size}" fill="#333">${escaped}</text>`;
}

function wrap(text: string): readonly string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`.trim();
    if (longer.length <= LINE_CHARS) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
