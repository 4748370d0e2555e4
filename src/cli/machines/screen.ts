import { askMachine, askMachineJson, Registry } from '../../daemon/mod.ts';
import { VivariumError } from '../../util/mod.ts';
import { savePng } from '../save-screen.ts';

/** `viv screenshot`: with text, the lines of the screen on standard output; else a PNG. */
export async function showMachineScreen(
  name: string,
  file: string | undefined,
  { text }: { readonly text: boolean },
): Promise<void> {
  const entry = await new Registry().find(name);
  if (text) {
    const { lines } = (await askMachineJson(entry, 'GET /screen')) as { lines: string[] | null };
    if (lines === null) {
      const message = `the screen of "${name}" shows no text; leave out --text for a picture`;
      throw new VivariumError('screen-not-text', message);
    }
    process.stdout.write(`${lines.join('\n').trimEnd()}\n`);
    return;
  }
  await savePng(await askMachine(entry, 'GET /screen.png'), file ?? `${entry.record.name}.png`);
}

/** `viv type` */
export async function typeOnMachine(name: string, text: string): Promise<void> {
  await askMachine(await new Registry().find(name), 'POST /keys', text);
}
