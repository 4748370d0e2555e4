import assert from 'node:assert/strict';
import { test } from 'node:test';
import { privateAptConfig } from './apt-config.ts';

const host = `APT "";
APT::Architecture "arm64";
APT::Architectures "";
APT::Architectures:: "arm64";
APT::Update::Post-Invoke-Success:: "rm -rf /tmp/x";
APT::Sandbox::User "_apt";
Dir::State "var/lib/apt";
Dir::Etc::sourceparts "sources.list.d";
Dir::Etc::parts "apt.conf.d";
DPkg::Post-Invoke:: "true";
Acquire::http::Proxy "http://proxy:3128/";
Acquire::IndexTargets::deb::Packages::MetaKey "Packages";
Acquire::IndexTargets::deb::DEP-11::MetaKey "dep11";
Acquire::Languages "en";
`;

test("the private apt keeps the host's sources and proxy, but neither its hooks nor its state", () => {
  const config = privateAptConfig(host, '/home/u/.cache/vivarium/apt');
  for (const kept of ['Acquire::http::Proxy', 'Dir::Etc::sourceparts', 'deb::Packages::MetaKey']) {
    assert.ok(config.includes(kept), kept);
  }
  for (const dropped of ['Invoke', 'var/lib/apt', 'DEP-11', 'arm64', '_apt', 'Languages "en"']) {
    assert.ok(!config.includes(dropped), dropped);
  }
  assert.match(config, /Dir::State::lists "\/home\/u\/\.cache\/vivarium\/apt\/lists";/);
  assert.match(config, /Dir::Etc::parts "\/dev\/null";/);
  assert.match(config, /APT::Architectures \{ "amd64"; \};/);
});
