import { Registry, readConsoleLog, readMessages } from '../../daemon/mod.ts';
import { VivariumError } from '../../util/mod.ts';

export interface LogsOptions {
  readonly follow: boolean;
  readonly tail?: number;
  readonly messages: boolean;
}

/** `viv logs` */
export async function printLogs(name: string, options: LogsOptions): Promise<void> {
  const registry = new Registry();
  const { record, directory } = await registry.find(name);
  if (!record.background) {
    throw new VivariumError(
      'no-log',
      `the machine "${name}" runs on a terminal, which has its output; only machines in the ` +
        'background (viv run --detach) have logs',
    );
  }
  if (options.messages) {
    process.stdout.write(readMessages(directory));
    return;
  }
  const isRunning = async () => {
    const now = await registry.find(name).catch(() => undefined);
    return now?.condition === 'running' && now.record.id === record.id;
  };
  const follow = options.follow ? isRunning : undefined;
  for await (const bytes of readConsoleLog(directory, { lines: options.tail, follow })) {
    await new Promise<void>((resolve, reject) => {
      process.stdout.write(bytes, (error) => (error ? reject(closed(error)) : resolve()));
    });
  }
}

function closed(cause: Error): VivariumError {
  return new VivariumError('output-closed', 'standard output was closed', { cause });
}
