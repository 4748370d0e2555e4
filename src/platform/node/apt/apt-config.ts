/**
 * The configuration of our private apt: the host's own (sources, proxies, keys), but with lists and
 * state in our directory, for one architecture, and without hooks. So an ordinary user can run it,
 * and nothing on the host changes. apt.conf(5).
 */

/** Settings of the host that do not apply: hooks, places, and indexes that are not packages. */
const dropped = [
  /^APT::Update::/,
  /^APT::Architectures?\b/,
  /^APT::Sandbox/,
  /^DPkg::/i,
  /^Dir::(State|Cache|Log)\b/,
  /^Acquire::IndexTargets::(?!deb::Packages\b)/,
  /^Acquire::Languages/,
  /^quiet/i,
];

/**
 * Makes a configuration file from what `apt-config dump` prints on the host.
 *
 * @param directory absolute path of our directory
 * @param architecture the one architecture whose packages are looked up, whatever the host's is
 */
export function privateAptConfig(
  hostDump: string,
  directory: string,
  architecture = 'amd64',
): string {
  const kept = hostDump
    .split('\n')
    .filter((line) => line !== '' && !dropped.some((pattern) => pattern.test(line)));
  const own: readonly [name: string, value: string][] = [
    ['Dir::State', `${directory}/state`],
    ['Dir::State::lists', `${directory}/lists`],
    ['Dir::State::status', `${directory}/status`],
    ['Dir::Cache', `${directory}/cache`],
    ['Dir::Cache::pkgcache', ''],
    ['Dir::Cache::srcpkgcache', ''],
    ['Dir::Log', `${directory}/log`],
    // All of the host's configuration is in this file already.
    ['Dir::Etc::main', '/dev/null'],
    ['Dir::Etc::parts', '/dev/null'],
    ['APT::Architecture', architecture],
    ['APT::Sandbox::User', ''],
    ['Acquire::Languages', 'none'],
    ['Acquire::GzipIndexes', 'true'],
  ];
  const lines = own.map(([name, value]) => `${name} "${value}";`);
  return `${[...kept, ...lines, `APT::Architectures { "${architecture}"; };`].join('\n')}\n`;
}
