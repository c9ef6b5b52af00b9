// Every golden message, value by value: `npm test`. The messages are made by the gateway's own codec.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "node:test";
import { decode } from "./decode.mjs";

const golden = JSON.parse(readFileSync(new URL("../golden.json", import.meta.url)));
// In the golden file whole numbers are texts, for JSON in JavaScript would round the large ones.
const text = (value) => (typeof value === "number" || typeof value === "bigint" ? value.toString() : value);

for (const { name, schema, payload, rows } of golden) {
  test(name, () => {
    const found = decode(Buffer.from(payload, "hex"), schema).map((row) =>
      Object.fromEntries(Object.entries(row).map(([key, value]) => [key, text(value)])),
    );
    assert.deepEqual(found, rows);
  });
}

test("there are golden messages, deflated and not", () => {
  const deflated = golden.map(({ payload }) => payload.startsWith("78"));
  assert.ok(deflated.includes(true) && deflated.includes(false));
});

test("another schema, another version and rubbish are refused", () => {
  const { payload, schema } = golden[0];
  assert.throws(() => decode(Buffer.from(payload, "hex"), schema + " "), /another schema/);
  assert.throws(() => decode(Buffer.from(payload.replace(/^(9801b0.{32})(01)(01)00/, "$1$2$3" + "08"), "hex"), schema), /flags 8/);
  assert.throws(() => decode(Buffer.from(payload.replace(/^9801/, "9802"), "hex"), schema), /version 2/);
  for (const bytes of ["", "80", "c1", "98", "789c00", payload.slice(0, -2)]) {
    assert.throws(() => decode(Buffer.from(bytes, "hex"), schema), bytes);
  }
});

test("as a command it prints a line of JSON per sample", () => {
  const { payload, schema, rows } = golden.find((one) => one.rows.length > 1);
  const file = join(mkdtempSync(join(tmpdir(), "schema-")), "schema.json");
  writeFileSync(file, schema);
  const script = fileURLToPath(new URL("./decode.mjs", import.meta.url));
  const lines = execFileSync(process.execPath, [script, file], { input: Buffer.from(payload, "hex") }).toString().trim().split("\n");
  assert.equal(lines.length, rows.length);
  assert.equal(String(JSON.parse(lines[1]).seq), rows[1].seq);
});
