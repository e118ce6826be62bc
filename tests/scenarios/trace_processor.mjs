// Asks Perfetto's own trace processor about a trace:
//
//   node trace_processor.mjs FOLDER TRACE SQL...
//
// FOLDER is what tools/fetch trace_processor makes. Prints, for each SQL, one
// line: a JSON array of rows, each an array of values; integers, which have 64
// bits, are strings.
import {readFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {runInThisContext} from 'node:vm';

const [folder, trace, ...queries] = process.argv.slice(2);
const {EngineBase} = await import(resolve(folder, 'engine.mjs'));

// The wasm module and its glue are written for a browser's worker: give them
// its globals, the 32-bit module, its bytes, and a way for us to reach it.
globalThis.self = globalThis;
globalThis.WorkerGlobalScope = function() {};
globalThis.location = {href: 'file://' + resolve(folder) + '/'};
globalThis.wasmBinary = readFileSync(resolve(folder, 'trace_processor.wasm'));
const glue = readFileSync(resolve(folder, 'engine_bundle.node.js'), 'utf8')
    .replace('this.useMemory64 = hasMemory64Support()',
             'this.useMemory64 = false')
    .replace('locateFile: (s) => s,',
             'locateFile: (s) => s, wasmBinary: self.wasmBinary,')
    .replace('const wasmBridge = ', 'const wasmBridge = self.bridge = ');
runInThisContext(glue);
while (self.bridge.reqBufferAddr === 0) {
  await new Promise((wake) => setTimeout(wake, 5));
}

class Engine extends EngineBase {
  id = 'engine';
  mode = 'WASM';
  rpcSendRequestBytes(data) {
    self.bridge.messagePort.onmessage({data});
  }
}
const engine = new Engine();
self.bridge.initialize({
  postMessage: (data) => engine.onRpcResponseBytes(data),
});

const bytes = readFileSync(trace);
for (let at = 0; at < bytes.length; at += 1 << 24) {
  await engine.parse(new Uint8Array(bytes.subarray(at, at + (1 << 24))));
}
await engine.notifyEof();
for (const sql of queries) {
  const result = await engine.query(sql);
  const rows = [];
  for (const row = result.iter({}); row.valid(); row.next()) {
    rows.push(result.columns().map((column) => row.get(column)));
  }
  console.log(JSON.stringify(
      rows, (_, value) => typeof value === 'bigint' ? `${value}` : value));
}
process.exit(0);
