"use strict";
// A slave made with the npm package modbus-serial for the interoperability tests: PATH UNIT [INTERVAL_MS].
//
// 100 holding registers 1000 * unit + address and 100 input registers 500 above them; 115200 8N1. Says "ready VERSION" once it
// listens. INTERVAL_MS is the silence after which the library takes what it has heard for one frame (its own default: 30).

const { ServerSerial } = require("modbus-serial");
const { version } = require("modbus-serial/package.json");

const REGISTERS = 100;
const [path, unitText, intervalText] = process.argv.slice(2);
const unit = Number(unitText);
const holding = Array.from({ length: REGISTERS }, (_, address) => 1000 * unit + address);
const input = holding.map((value) => value + 500);

function inside(address) {
  if (address >= REGISTERS) {
    throw Object.assign(new Error("no such register"), { modbusErrorCode: 2 });
  }
  return address;
}

const vector = {
  getHoldingRegister: (address) => holding[inside(address)],
  getInputRegister: (address) => input[inside(address)],
  setRegister: (address, value) => {
    holding[inside(address)] = value;
  },
};

const server = new ServerSerial(vector, {
  path,
  baudRate: 115200,
  unitID: unit,
  ...(intervalText && { interval: Number(intervalText) }),
});
server.on("initialized", () => console.log(`ready modbus-serial ${version}`));
server.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
server.getPort().on("close", () => process.exit(0));
