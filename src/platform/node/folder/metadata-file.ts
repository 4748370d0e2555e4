/**
 * Records of what the guest set on files, kept from one run to the next: a file for each shared folder in the user's
 * state directory (XDG Base Directory Specification), one change a line.
 */
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { MetadataRecord, MetadataStore } from '../../../share/mod.ts';

/** Lines that may say nothing any more before the file is written anew. */
const MAX_WASTE = 1000;

const id = z.int().min(0).max(0xffff_ffff);
const mode = z.int().min(0).max(0o7777);
const line = z.tuple([
  z.string().max(100),
  z
    .strictObject({
      uid: id.optional(),
      gid: id.optional(),
      mode: z.strictObject({ guest: mode, host: mode }).optional(),
      special: z.strictObject({ type: z.int().min(0).max(0o170000), device: id }).optional(),
    })
    .nullable(),
]);

/** The file for the folder with this identity. */
export function metadataPath(identity: string): string {
  const state = process.env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state');
  return join(state, 'vivarium', 'folders', `${identity.replaceAll(':', '-')}.jsonl`);
}

export class MetadataFile implements MetadataStore {
  readonly records = new Map<string, MetadataRecord>();
  readonly #path: string;
  readonly #failed: (error: Error) => void;
  #hasFailed = false;
  /** lines in the file */
  #lines = 0;

  /** @param failed told once when records cannot be kept; they hold for this run then */
  constructor(path: string, failed: (error: Error) => void) {
    this.#path = path;
    this.#failed = failed;
    this.#guard(() => this.#load());
  }

  changed(key: string): void {
    const text = `${JSON.stringify([key, this.records.get(key) ?? null])}\n`;
    this.#guard(() => {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      appendFileSync(this.#path, text, { mode: 0o600 });
      this.#lines++;
      this.#clearWaste();
    });
  }

  #load(): void {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    const lines = text.split('\n').filter((each) => each !== '');
    for (const each of lines) this.#take(each);
    this.#lines = lines.length;
    this.#clearWaste();
  }

  /** A line that was cut short, by a host that lost power, counts for nothing. */
  #take(text: string): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return;
    }
    const parsed = line.safeParse(value);
    if (!parsed.success) return;
    const [key, record] = parsed.data;
    if (record === null) this.records.delete(key);
    else this.records.set(key, record as MetadataRecord);
  }

  #clearWaste(): void {
    if (this.#lines <= 4 * this.records.size + MAX_WASTE) return;
    const temporary = `${this.#path}.${process.pid}`;
    const lines = [...this.records].map((entry) => `${JSON.stringify(entry)}\n`);
    writeFileSync(temporary, lines.join(''), { mode: 0o600 });
    renameSync(temporary, this.#path);
    this.#lines = lines.length;
  }

  #guard(work: () => void): void {
    if (this.#hasFailed) return;
    try {
      work();
    } catch (error) {
      this.#hasFailed = true;
      this.#failed(error as Error);
    }
  }
}
