// Decodes a `tm` or `bf` message of a Tidewatt Edge gateway: an array of samples. Node >= 18, no packages.
//
//   node decode.mjs SCHEMA.json < PAYLOAD        as a module: import { decode } from "./decode.mjs"
//
// SCHEMA.json: the retained message of tw1/<tenant>/<gateway>/sch/<id>. Values are the gateway's integers (BigInt if large).
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { inflateSync } from "node:zlib";

// The part of msgpack that is used: integers, nil, short texts, lists.
function unpack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (size, read) => { const value = view[read](at); at += size; return value; };
  const list = (count) => Array.from({ length: count }, next);
  const text = (size) => { at += size; return bytes.subarray(at - size, at).toString(); };
  function next() {
    const head = take(1, "getUint8");
    if (head < 0x80) return BigInt(head);
    if (head < 0xa0) { if (head < 0x90) throw new Error("a map is no part of a message"); return list(head & 15); }
    if (head < 0xc0) return text(head & 31);
    if (head >= 0xe0) return BigInt(head - 256);
    switch (head) {
      case 0xc0: return null;
      case 0xcc: case 0xcd: case 0xce: { const n = 1 << (head - 0xcc); return BigInt(take(n, `getUint${8 * n}`)); }
      case 0xcf: return take(8, "getBigUint64");
      case 0xd0: case 0xd1: case 0xd2: { const n = 1 << (head - 0xd0); return BigInt(take(n, `getInt${8 * n}`)); }
      case 0xd3: return take(8, "getBigInt64");
      case 0xd9: return text(take(1, "getUint8"));
      case 0xdc: return list(take(2, "getUint16"));
      case 0xdd: return list(take(4, "getUint32"));
      default: throw new Error(`byte ${head} is no part of a message`);
    }
  }
  return next();
}
const plain = (big) => (big === null || BigInt(Number(big)) !== big || !Number.isSafeInteger(Number(big)) ? big : Number(big));
// A column: each value is a step from the last one that was known, in 64 bit; null is not known.
function sums(deltas) {
  let before = 0n;
  return deltas.map((delta) => (delta === null ? null : plain((before = BigInt.asIntN(64, before + delta)))));
}
export function decode(payload, schema) {
  const bytes = payload[0] === 0x78 ? inflateSync(payload) : Buffer.from(payload);
  const [version, id, epoch, seq0, flags, walls, monos, columns] = unpack(bytes);
  if (version !== 1n || flags > 7n || createHash("sha256").update(schema).digest("hex").slice(0, 16) !== id) {
    throw new Error(`version ${version}, flags ${flags}, schema ${id}: not known here, or another schema`);
  }
  const names = JSON.parse(schema).fields.map((field) => field.name);
  const [wall, mono, ...values] = [walls, monos, ...columns].map(sums);
  const marks = { historical: (flags & 1n) > 0n, unsynced: (flags & 2n) > 0n };
  const head = (i) => ({ epoch: plain(epoch), seq: plain(seq0 + BigInt(i)), ...marks });
  const row = (i) => Object.fromEntries(names.map((name, column) => [name, values[column][i]]));
  return walls.map((_, i) => ({ ...head(i), wall_ms: wall[i], mono_ms: mono[i], ...row(i) }));
}
if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const show = (_, value) => (typeof value === "bigint" ? value.toString() : value);
  for (const one of decode(readFileSync(0), readFileSync(process.argv[2]))) console.log(JSON.stringify(one, show));
}
