#include "transform/compile/prelude.h"

namespace biwa::transform {

// The project may change every global and every prototype, before and after: own keys are read
// only, and state that matters is private.
std::string_view Prelude() {
    return R"js("use strict";
(native, projectConfig) => {
    const isObject = (value) => typeof value === "object" && value !== null;
    const list = (value) => (Array.isArray(value) ? value : [value]);
    const copy = (...objects) => Object.assign({ __proto__: null }, ...objects);
    let stateOf;

    // What publish(), operate(), assert() and declare() return.
    class Action {
        #state;
        static {
            stateOf = (action) => action.#state;
        }
        constructor(...configs) {
            const config = copy(...configs);
            if (config.type === undefined) config.type = "view";
            const { preOperations = [], postOperations = [] } = config;
            delete config.preOperations;
            delete config.postOperations;
            delete config.filename;
            delete config.fileName;
            const { schema = config.dataset, database = config.project } = config;
            const origin = { __proto__: null, schema, database };
            const state = { config, origin, preOps: list(preOperations),
                            postOps: list(postOperations) };
            this.#state = Object.assign({ __proto__: null }, state);
            native.made("action", this.#state, new Error().stack);
            dataform.actions.push(this);
        }
        config(values) {
            Object.assign(this.#state.config, values);
            return this;
        }
        query(contextable) {
            this.#state.query = contextable;
            return this;
        }
        queries(contextable) {
            this.#state.query = contextable;
            return this;
        }
        where(contextable) {
            this.#state.where = contextable;
            return this;
        }
        preOps(contextable) {
            this.#state.preOps.push(contextable);
            return this;
        }
        postOps(contextable) {
            this.#state.postOps.push(contextable);
            return this;
        }
    }
    const addSetter = (key, configKey, byDefault) => {
        Action.prototype[key] = function (value = byDefault) {
            stateOf(this).config[configKey] = value;
            return this;
        };
    };
    for (const key of ["type", "description", "columns", "database", "schema", "uniqueKey",
                       "assertions", "bigquery"]) {
        addSetter(key, key, undefined);
    }
    for (const key of ["disabled", "protected", "hermetic", "hasOutput", "materialized"]) {
        addSetter(key, key, true);
    }
    addSetter("setDependOnDependencyAssertions", "dependOnDependencyAssertions", true);
    for (const key of ["tags", "dependencies"]) {
        Action.prototype[key] = function (values) {
            const { config } = stateOf(this);
            config[key] = [...(config[key] === undefined ? [] : list(config[key])), ...list(values)];
            return this;
        };
    }

    // What test() returns.
    class Test {
        #state = { __proto__: null, config: { __proto__: null }, inputs: [] };
        constructor(name) {
            this.#state.config.name = name;
            native.made("test", this.#state, new Error().stack);
        }
        config(values) {
            Object.assign(this.#state.config, values);
            return this;
        }
        dataset(table) {
            this.#state.config.dataset = table;
            return this;
        }
        input(table, query) {
            this.#state.inputs.push({ __proto__: null, table, query });
            return this;
        }
        expect(query) {
            this.#state.query = query;
            return this;
        }
    }

    const table = (depends, words) => {
        const called = depends ? "ref" : "resolve";
        if (words.length === 1 && Array.isArray(words[0])) words = words[0];
        const [first] = words;
        if (words.length === 1 && isObject(first)) {
            const { name, schema = first.dataset, database = first.project } = first;
            return native.table(depends, name, schema, database, first.includeDependentAssertions);
        }
        const wrong = Array.from(words).find((word) => typeof word !== "string" || word === "");
        if (words.length === 0 || words.length > 3 || wrong !== undefined ||
            Array.from(words).includes(undefined)) {
            const found = words.length === 0 ? "nothing" : words.length > 3 ? words.length + " of them"
                        : wrong === "" ? "an empty text" : typeof wrong;
            throw new Error(called + "() takes a name, or a dataset and a name, or an object with " +
                            "those; found " + found);
        }
        const [name, schema, database] = [...words].reverse();
        return native.table(depends, name, schema, database, undefined);
    };

    const context = (incremental) => ({
        self: () => native.self(),
        name: () => native.name(),
        schema: () => native.schema(),
        database: () => native.database(),
        ref: (...words) => table(true, words),
        resolve: (...words) => table(false, words),
        incremental: () => incremental,
        when: (condition, yes, no = "") => (condition ? yes : no),
    });
    const actionContext = (state, incremental) => {
        const made = context(incremental);
        made.apply = (contextable) =>
            typeof contextable === "function" ? contextable(made) : contextable;
        made.where = (contextable) => ((state.where = contextable), "");
        made.preOps = (contextable) => (state.preOps.push(contextable), "");
        made.postOps = (contextable) => (state.postOps.push(contextable), "");
        made.dependencies = (values) => (list(values).forEach((value) => table(true, [value])), "");
        for (const late of ["tags", "disabled", "bigquery", "hasOutput", "config", "type"]) {
            made[late] = () => {
                throw new Error(late + "() is too late while SQL is made: call it on the action");
            };
        }
        return made;
    };

    // The second argument is a config, or what the SQL comes from.
    const withSql = (name, given, fixed) => {
        const isConfig = isObject(given) && !Array.isArray(given);
        const action = new Action({ name }, isConfig ? given : {}, fixed);
        if (!isConfig && given !== undefined) action.query(given);
        return action;
    };
    const notRun = (what) => () => {
        throw new Error(what + " is not run here");
    };
    const dataform = { projectConfig, actions: [] };
    const functions = {
        publish: (name, given) => withSql(name, given, {}),
        operate: (name, given) => withSql(name, given, { type: "operations" }),
        assert: (name, given) => withSql(name, given, { type: "assertion" }),
        declare: (config) => new Action(config, { type: "declaration" }),
        test: (name) => new Test(name),
        notebook: notRun("a notebook"),
        jitData: notRun("code that is compiled while it runs (jitData)"),
        getContents: (path) => native.contents(path, new Error().stack),
    };
    Object.assign(dataform, functions);
    const say = () => {};  // Nobody listens: what is compiled has no place to say things.
    const console = { log: say, info: say, warn: say, error: say, debug: say };
    Object.assign(globalThis, { global: globalThis, dataform, console });

    return {
        core: { version: native.version, session: dataform },
        publishFunctions: () => Object.assign(globalThis, functions),
        context,
        apply: (contextable, state, incremental) =>
            actionContext(state, incremental).apply(contextable),
    };
})js";
}

}  // namespace biwa::transform
