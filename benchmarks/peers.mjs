// Runs UpscalerJS's models on Node's WebAssembly backend; answers peers.py's lines.
import * as tf from '@tensorflow/tfjs';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

const [name, scale, threads] = process.argv.slice(2);
const require = createRequire(import.meta.url);
console.info = console.log = console.warn = () => {}; // standard output is for answers
const wasm = path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'));
setWasmPaths(`${wasm}/dist/`);
setThreadsCount(Number(threads));
await tf.setBackend('wasm');
await tf.ready();

const entry = require.resolve(`${name}/${scale}x`);
const exported = require(entry);
const definition = exported.default ?? exported;
if (definition.setup) definition.setup(tf);
const file = path.join(entry.split('/dist/')[0], definition._internals.path);
const { modelTopology, weightsManifest } = JSON.parse(fs.readFileSync(file));
const shards = weightsManifest.flatMap((group) => group.paths);
const bytes = Buffer.concat(shards.map((shard) => fs.readFileSync(path.join(path.dirname(file), shard))));
const model = await tf.loadLayersModel(tf.io.fromMemory({
  modelTopology,
  weightSpecs: weightsManifest.flatMap((group) => group.weights),
  weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
}));
const [, highIn] = definition.inputRange;
const [, highOut] = definition.outputRange;

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [source, height, width, target] = JSON.parse(line);
  const samples = new Uint8Array(fs.readFileSync(source));
  const started = performance.now();
  const levels = tf.tidy(() => {
    const picture = tf.tensor4d(samples, [1, height, width, 3], 'int32').toFloat();
    const result = model.predict(picture.mul(highIn / 255));
    return result.mul(255 / highOut).clipByValue(0, 255).round().toInt();
  });
  const [, rows, columns] = levels.shape;
  const values = Uint8Array.from(await levels.data());
  const seconds = (performance.now() - started) / 1000;
  levels.dispose();
  fs.writeFileSync(target, values);
  process.stdout.write(`${JSON.stringify({ height: rows, width: columns, seconds })}\n`);
}
