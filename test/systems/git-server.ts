/** A git server of this host with one repository, for guests to clone. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

export interface GitServer extends Disposable {
  readonly port: number;
  /** the name of the only commit */
  readonly commit: string;
}

/** Serves `repository`, which has 50 files, from below `directory`. */
export async function serveGit(directory: string): Promise<GitServer> {
  const work = join(directory, 'repository');
  mkdirSync(work, { recursive: true });
  for (let file = 0; file < 50; file++) {
    writeFileSync(join(work, `file-${file}`), `${file * file} squared\n`.repeat(500 + file));
  }
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org'];
  const git = (...arguments_: string[]): string =>
    execFileSync('git', [...identity, '-C', work, ...arguments_], { encoding: 'utf8' });
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('commit', '-q', '-m', 'All of it');
  const port = await freePort();
  const child: ChildProcess = spawn(
    'git',
    [
      ...['daemon', '--reuseaddr', '--export-all', `--base-path=${directory}`],
      ...['--listen=127.0.0.1', `--port=${port}`],
    ],
    { stdio: 'ignore' },
  );
  return { port, commit: git('rev-parse', 'HEAD').trim(), [Symbol.dispose]: () => child.kill() };
}

function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const server = createServer().listen(0, '127.0.0.1', () => {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    server.close(() => resolve(port));
  });
  return promise;
}
