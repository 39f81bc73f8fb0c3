// node build.mjs FOLDER: bundles the pages' scripts, one per library, into FOLDER/www; FOLDER has the node_modules.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const folder = path.resolve(process.argv[2]);
const sources = path.join(import.meta.dirname, 'www');
const { build } = createRequire(path.join(folder, 'package.json'))('esbuild');

await build({
  entryPoints: ['jssip', 'sipjs'].map((library) => path.join(sources, `${library}.js`)),
  outdir: path.join(folder, 'www'),
  bundle: true,
  format: 'iife',
  target: 'es2022',
  nodePaths: [path.join(folder, 'node_modules')],
  logLevel: 'warning',
});
// A worklet is loaded by its own address.
fs.copyFileSync(path.join(sources, 'listener.js'), path.join(folder, 'www', 'listener.js'));
