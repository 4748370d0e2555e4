import { writeFile } from 'node:fs/promises';
import { type Screen, screenPng, VivariumError, why } from '../client/mod.ts';

/** Writes a screen as PNG to a file, or to standard output if the name is `-`. */
export async function saveScreen(screen: Screen | undefined, file: string): Promise<void> {
  if (screen === undefined) throw noPicture();
  await savePng(await screenPng(screen), file);
}

export async function savePng(png: Uint8Array, file: string): Promise<void> {
  if (file === '-') {
    process.stdout.write(png);
    return;
  }
  try {
    await writeFile(file, png);
  } catch (error) {
    const message = `cannot write the picture ${file}: ${why(error)}`;
    throw new VivariumError('file-unwritable', message, { cause: error });
  }
}

function noPicture(): VivariumError {
  return new VivariumError(
    'screen-dark',
    'the machine shows no picture: it has no graphics card, or has not turned its screen on',
  );
}
