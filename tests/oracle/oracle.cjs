// Compiles projects with @dataform/core, as its own command line does, and prints what came of each.
//
//     node oracle.cjs <requests >answers
//
// A request and an answer are a line of JSON each:
//     {"dir": "/a/project", "override": {"vars": {"a": "b"}, "schemaSuffix": "s", "tablePrefix": "p"}}
//     {"graph": CompiledGraph in protobuf's JSON} or {"thrown": "message"}
"use strict";
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const readline = require("node:readline");
const vm = require("node:vm");

const CORE = require.resolve("@dataform/core");

function filesOf(dir, under = "") {
  return fs.readdirSync(path.join(dir, under), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(under, entry.name);
    if (entry.name === "node_modules") return [];
    return entry.isDirectory() ? filesOf(dir, name) : [name];
  });
}

// Just enough of protobuf's binary form: every field here is a text or a message.
function field(number, bytes) {
  const varint = [];
  let rest = bytes.length;
  for (; rest > 127; rest >>>= 7) varint.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint, rest]), bytes]);
}
const text = (number, value) => field(number, Buffer.from(value, "utf8"));
const message = (number, ...fields) => field(number, Buffer.concat(fields));

// A CoreExecutionRequest, by the numbers of core.proto.
function encodeRequest({ dir, override }) {
  const config = [];
  for (const [name, value] of Object.entries(override.vars ?? {}))
    config.push(message(14, text(1, name), text(2, value)));
  if (override.schemaSuffix) config.push(text(7, override.schemaSuffix));
  if (override.tablePrefix) config.push(text(11, override.tablePrefix));
  return message(
    1,
    message(
      1,
      text(1, dir),
      ...filesOf(dir).map((file) => text(8, file)),
      ...(config.length > 0 ? [message(3, ...config)] : []),
    ),
  ).toString("base64");
}

// Modules are found from the project's folder, and files of Dataform's go through its compiler.
function hookModules(dir, compile) {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...others) {
    if (request === "@dataform/core") return CORE;
    for (const ending of ["", ".js", ".json", "/index.js"]) {
      for (const root of [dir, path.join(dir, "node_modules")]) {
        const file = path.resolve(root, request + ending);
        if (file.startsWith(dir) && fs.statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
      }
    }
    return resolve.call(this, request, ...others);
  };
  for (const extension of [".sqlx", ".sql", ".yaml", ".yml", ".ipynb", ".md"]) {
    Module._extensions[extension] = (module, file) =>
      module._compile(compile(fs.readFileSync(file, "utf8"), file), file);
  }
  return () => {
    Module._resolveFilename = resolve;
  };
}

// Each project gets a core and globals of its own.
function compileProject(request) {
  const globals = new Set(Object.getOwnPropertyNames(globalThis));
  for (const file of Object.keys(Module._cache)) delete Module._cache[file];
  const core = require(CORE);
  const unhook = hookModules(request.dir, core.compiler);
  try {
    let graph;
    const compile = core.session.compile;
    core.session.compile = function () {
      graph = compile.call(this);
      return graph;
    };
    // The command line compiles from a file of the project's folder, and where it finds no other
    // place for an error it names that one.
    const run = vm.runInThisContext("(main, request) => main(request)", {
      filename: path.join(request.dir, "index.js"),
    });
    run(core.main, encodeRequest(request));
    return { graph: graph.toJSON() };
  } catch (error) {
    return { thrown: String(error?.message ?? error) };
  } finally {
    unhook();
    for (const name of Object.getOwnPropertyNames(globalThis))
      if (!globals.has(name)) delete globalThis[name];
  }
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(JSON.stringify(compileProject(JSON.parse(line))) + "\n");
});
