// What a JavaScript program does with memory: buffers, workers, compression, strings, a child.
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { createHash } = require('crypto');
const { execFileSync } = require('child_process');
const zlib = require('zlib');

function digest(n) {
    const parts = [];
    for (let i = 0; i < n; i++) parts.push(Buffer.alloc(i % 3000, i));
    const all = Buffer.concat(parts);
    const back = zlib.gunzipSync(zlib.gzipSync(all));
    if (!back.equals(all)) throw new Error('what was packed is not what was unpacked');
    return createHash('sha256').update(all).digest('hex').slice(0, 16);
}

if (!isMainThread) {
    parentPort.postMessage(digest(workerData));
} else {
    const table = new Map();
    for (let i = 0; i < 200000; i++) table.set('key' + (i * 7919) % 100003, { i, list: [i, String(i)] });
    const text = JSON.stringify([...table]);
    console.log(table.size, text.length, JSON.parse(text).length);
    console.log(execFileSync(process.execPath, ['-e', 'console.log([...Array(1e5).keys()].join().length)']).toString().trim());
    const work = [500, 1000, 1500, 2000].map((n) => new Promise((resolve, reject) => {
        const worker = new Worker(__filename, { workerData: n });
        worker.on('message', resolve).on('error', reject);
    }));
    Promise.all(work).then((results) => console.log(results.join(' ')));
}
