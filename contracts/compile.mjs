// Compiles every contract of this folder with the pinned compiler.
//
//   node compile.mjs --artifacts DIR [--header FILE]
//
// DIR gets one NAME.json (abi, bytecode, deployedBytecode) a contract; FILE is a C++ header with the creation
// bytecode of each as hex. Equal sources give equal bytes. Warnings are errors.

import { createRequire } from 'node:module';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const solc = createRequire(import.meta.url)('solc');
const here = dirname(fileURLToPath(import.meta.url));

const { values } = parseArgs({
  options: { artifacts: { type: 'string' }, header: { type: 'string' } },
});
if (!values.artifacts) {
  console.error('usage: node compile.mjs --artifacts DIR [--header FILE]');
  process.exit(2);
}

const sources = {};
for (const folder of ['.', 'test']) {
  for (const file of readdirSync(join(here, folder)).sort()) {
    if (!file.endsWith('.sol')) continue;
    const name = folder === '.' ? file : `${folder}/${file}`;
    sources[name] = { content: readFileSync(join(here, name), 'utf8') };
  }
}

const output = JSON.parse(solc.compile(JSON.stringify({
  language: 'Solidity',
  sources,
  settings: {
    evmVersion: 'cancun',
    optimizer: { enabled: true, runs: 200 },
    metadata: { bytecodeHash: 'none', appendCBOR: false },
    outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } },
  },
})));
for (const error of output.errors ?? []) console.error(error.formattedMessage);
if ((output.errors ?? []).some((error) => error.severity !== 'info')) process.exit(1);

mkdirSync(values.artifacts, { recursive: true });
const constants = [];
for (const file of Object.keys(output.contracts).sort()) {
  for (const [name, contract] of Object.entries(output.contracts[file])) {
    const bytecode = contract.evm.bytecode.object;
    writeFileSync(join(values.artifacts, `${name}.json`), JSON.stringify({
      contract: name,
      source: file,
      compiler: solc.version(),
      abi: contract.abi,
      bytecode: `0x${bytecode}`,
      deployedBytecode: `0x${contract.evm.deployedBytecode.object}`,
    }, null, 2) + '\n');
    const lines = bytecode.match(/.{1,88}/g).map((line) => `    "${line}"`);
    constants.push(`inline constexpr std::string_view k${name}Bytecode =\n${lines.join('\n')};\n`);
  }
}

if (values.header) {
  mkdirSync(dirname(values.header), { recursive: true });
  writeFileSync(values.header, `// Made by contracts/compile.mjs (solc ${solc.version()}): creation bytecode as hex.
#pragma once

#include <string_view>

namespace cce::contracts {

${constants.join('\n')}
}  // namespace cce::contracts
`);
}
