#include "transform/compile/script_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "transform/compile/dataform_json.h"
#include "transform/compile/js_scanner.h"
#include "transform/compile/prelude.h"

namespace biwa::transform {

using script::Failure;
using script::Outcome;
using script::Value;

namespace {

// All texts and values that leave the engine, where its own limit counts no more.
constexpr std::size_t kTakenBytesMax = 256 << 20;

tl::unexpected<Failure> Throw(std::string message) {
    return tl::unexpected(Failure{std::move(message), {}, {}});
}

std::string Stem(const std::string& path) {
    const auto begin = path.rfind('/') + 1;
    return path.substr(begin, path.rfind('.') - begin);
}

}  // namespace

ScriptSession::ScriptSession(const CompileInput& input)
    : input_(input),
      engine_(input.script_limits),
      modules_(engine_, [this](const std::string& path) { return Read(path); }) {
    if (const auto started = Start(); !started) {
        problems_.push_back(ToProblem(started.error(), 0, "biwa.yaml"));
        problems_.back().place = SourceLocation{"biwa.yaml", 1, 1};
    }
}

Outcome<void> ScriptSession::Start() {
    const std::array<script::Piece, 1> prelude = {script::Piece{Prelude(), 1}};
    const auto begin = engine_.Evaluate(std::string(kPreludeFile), prelude);
    if (!begin) return tl::unexpected(begin.error());
    const std::array<Value, 2> arguments = {MakeNative(), MakeProjectConfig()};
    const auto called = engine_.Call(*begin, arguments);
    if (!called) return tl::unexpected(called.error());
    apply_ = engine_.Get(*called, "apply").value_or(Value());
    context_maker_ = engine_.Get(*called, "context").value_or(Value());
    // Packages ask for it; that of node_modules, if any, would compile with another compiler's
    // state.
    modules_.Provide("@dataform/core", engine_.Get(*called, "core").value_or(Value()));
    RunIncludes();
    const auto publish = engine_.Get(*called, "publishFunctions");
    if (!publish) return tl::unexpected(publish.error());
    const auto done = engine_.Call(*publish, {});
    if (!done && !engine_.is_out_of_time()) return tl::unexpected(done.error());
    return {};
}

void ScriptSession::RunIncludes() {
    for (const auto& file : input_.includes) {
        // Those in folders are for require().
        if (std::count(file.path.begin(), file.path.end(), '/') != 1) continue;
        running_file_ = file.path;
        const auto exports = modules_.Load(file.path);
        const auto done = exports ? engine_.Set(engine_.Global(), Stem(file.path), *exports)
                                  : Outcome<void>(tl::unexpected(exports.error()));
        if (done) continue;
        problems_.push_back(ToProblem(done.error(), 0, file.path));
        if (!problems_.back().place) problems_.back().place = SourceLocation{file.path, 1, 1};
        if (engine_.is_out_of_time()) return;
    }
}

std::optional<std::string> ScriptSession::Read(const std::string& path) const {
    const auto find = [&](const std::vector<DefinitionFile>& files) -> const DefinitionFile* {
        const auto found =
            std::lower_bound(files.begin(), files.end(), path,
                             [](const auto& file, const auto& other) { return file.path < other; });
        return found != files.end() && found->path == path ? &*found : nullptr;
    };
    for (const auto* files : {&input_.includes, &input_.files}) {
        if (const auto* file = find(*files)) return file->text;
    }
    // Only what is JavaScript's to read: no secrets, no settings.
    const bool is_readable =
        path.ends_with(".js") || path.ends_with(".json") || path.ends_with(".md");
    if (!is_readable || !input_.read_file) return std::nullopt;
    return input_.read_file(path);
}

Value ScriptSession::MakeProjectConfig() {
    auto config = engine_.MakeObject();
    auto vars = engine_.MakeObject();
    const auto set = [&](const Value& object, std::string_view key, const Value& value) {
        // Fails for lack of memory only, and then so does what comes next.
        static_cast<void>(engine_.Set(object, key, value));
    };
    for (const auto& [name, value] : input_.settings.vars.all)
        set(vars, name, engine_.MakeText(value));
    const auto& settings = input_.settings;
    const std::array<std::pair<const char*, std::string>, 8> texts = {
        {{"warehouse", "duckdb"},
         {"defaultDatabase", settings.default_project},
         {"defaultSchema", settings.default_dataset},
         {"defaultLocation", settings.default_location},
         {"assertionSchema", settings.assertion_dataset},
         {"databaseSuffix", settings.project_suffix},
         {"schemaSuffix", settings.dataset_suffix},
         {"tablePrefix", settings.name_prefix}}};
    for (const auto& [key, text] : texts) set(config, key, engine_.MakeText(text));
    set(config, "vars", vars);
    return config;
}

Value ScriptSession::MakeNative() {
    auto native = engine_.MakeObject();
    const auto add = [&](const char* name, script::Engine::Native function) {
        static_cast<void>(
            engine_.Set(native, name, engine_.MakeFunction(name, std::move(function))));
    };
    const auto trace = [this](std::span<const Value> arguments, std::size_t index) {
        const bool is_text = arguments.size() > index && arguments[index].IsText();
        return engine_.ReadTrace(is_text ? engine_.ToText(arguments[index]).value_or("") : "");
    };
    add("made", [this, trace](std::span<const Value> arguments) -> Outcome<Value> {
        if (renderer_ != nullptr)
            return Throw("actions are made by files of definitions, not while SQL is made");
        const auto kind = engine_.ToText(arguments[0]);
        if (!kind) return tl::unexpected(kind.error());
        made_.push_back({*kind == "test", Locate(trace(arguments, 2)), arguments[1]});
        return Value();
    });
    add("contents", [this, trace](std::span<const Value> arguments) -> Outcome<Value> {
        auto path = engine_.ToText(arguments[0]);
        if (!path) return tl::unexpected(path.error());
        const auto file = Locate(trace(arguments, 1)).file;
        if (!path->ends_with(".md")) {
            return Throw(fmt::format("getContents(\"{}\") reads .md files only", *path));
        }
        const auto text = modules_.ReadBeside(file, *path);
        if (!text) {
            return Throw(
                fmt::format("getContents(\"{}\"): there is no such file beside {}", *path, file));
        }
        return engine_.MakeText(*text);
    });
    add("table",
        [this](std::span<const Value> arguments) -> Outcome<Value> { return Table(arguments); });

    for (const char* name : {"self", "name", "schema", "database"}) {
        add(name, [this, name](std::span<const Value>) -> Outcome<Value> {
            if (renderer_ == nullptr)
                return Throw(fmt::format("{}() is known only while SQL is made", name));
            const auto text = renderer_->NameOf(name, 0);
            if (!text) return Throw(text.error().message);
            return engine_.MakeText(*text);
        });
    }
    static_cast<void>(engine_.Set(native, "version", engine_.MakeText(kDataformVersion)));
    return native;
}

// table(depends, name, schema, database, includeDependentAssertions)
Outcome<Value> ScriptSession::Table(std::span<const Value> arguments) {
    const std::string function = arguments[0].truth() ? "ref" : "resolve";
    if (renderer_ == nullptr)
        return Throw(fmt::format("{}() is known only while SQL is made: within a query", function));
    TableReference reference;
    if (!arguments[1].IsText()) return Throw("this names no table: \"name\" is missing");
    const std::array<std::string*, 3> parts = {&reference.name, &reference.dataset,
                                               &reference.project};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto& argument = arguments[i + 1];
        if (argument.IsUndefined() || argument.IsNull()) continue;
        auto text = engine_.ToText(argument);
        if (!text) return tl::unexpected(text.error());
        *parts[i] = std::move(*text);
    }
    if (arguments[4].IsBool()) reference.with_assertions = arguments[4].truth();
    const auto sql = renderer_->TableOf(std::move(reference), arguments[0].truth());
    if (!sql) return Throw(sql.error().message);
    return engine_.MakeText(*sql);
}

SourceLocation ScriptSession::Locate(const std::vector<script::Place>& trace) const {
    // Where a definition asked for it, whatever helpers lie between.
    for (const auto& place : trace) {
        if (place.file.starts_with("definitions/")) return {place.file, place.line, place.column};
    }
    return {running_file_, 1, 1};
}

std::string ScriptSession::MeantHint(std::string_view message) const {
    constexpr std::string_view kBegin = "ReferenceError: ";
    constexpr std::string_view kEnd = " is not defined";
    if (!message.starts_with(kBegin) || !message.ends_with(kEnd)) return "";
    message.remove_prefix(kBegin.size());
    message.remove_suffix(kEnd.size());
    std::vector<std::string> known{"ref",     "resolve", "self",    "name",    "when",
                                   "schema",  "publish", "assert",  "operate", "incremental",
                                   "declare", "test",    "require", "dataform"};
    for (const auto& file : input_.includes) {
        // One that has failed says so itself.
        if (Stem(file.path) == message) return "";
        known.push_back(Stem(file.path));
    }
    const auto meant = DidYouMean(message, known);
    return meant.empty() ? "" : fmt::format(". Did you mean \"{}\"?", meant);
}

Problem ScriptSession::ToProblem(const Failure& failure, std::size_t offset,
                                 const std::string& file) {
    Problem problem{offset, failure.message, std::nullopt};
    // Nothing runs after that: it is told once, where it happened.
    if (engine_.is_out_of_time() && std::exchange(time_was_told_, true)) problem.message.clear();
    if (problem.message.starts_with("Error: ")) problem.message.erase(0, 7);
    problem.message += MeantHint(problem.message);
    const script::Place* caller = nullptr;
    for (const auto& place : failure.trace) {
        if (place.file == kPreludeFile) continue;
        if (place.line == 0 && place.file == file) break;
        if (!problem.place) {
            problem.place =
                SourceLocation{place.file, std::max(place.line, 1), std::max(place.column, 1)};
        }
        if (caller == nullptr && place.file == file) caller = &place;
    }
    if (problem.place && problem.place->file != file && !problem.message.empty()) {
        problem.message += caller == nullptr ? fmt::format(" (in what {} does)", file)
                                             : fmt::format(" (called from {}:{}:{})", file,
                                                           caller->line, caller->column);
    }
    return problem;
}

Parsed<void> ScriptSession::RunFile(const DefinitionFile& file) {
    running_file_ = file.path;
    const auto exports = modules_.Load(file.path);
    if (!exports) return tl::unexpected(ToProblem(exports.error(), 0, file.path));
    return {};
}

Outcome<void> ScriptSession::Count(std::size_t bytes) {
    taken_bytes_ += bytes;
    if (taken_bytes_ <= kTakenBytesMax) return {};
    return Throw(fmt::format("all that the project's JavaScript makes may take {}",
                             HumanBytes(kTakenBytesMax)));
}

Outcome<void> ScriptSession::Convert(const Value& value, int depth, Expression& expression) {
    using Kind = Expression::Kind;
    if (depth > kNestingMax) return Throw("this value of a config is nested too deep");
    if (const auto counted = Count(sizeof(Expression)); !counted) return counted;
    if (value.IsUndefined() || value.IsNull()) return {};
    if (value.IsBool()) {
        expression.kind = Kind::kBool;
        expression.truth = value.truth();
    } else if (value.IsNumber()) {
        const auto number = engine_.ToNumber(value);
        if (!number) return tl::unexpected(number.error());
        expression.kind = Kind::kNumber;
        expression.number = *number;
    } else if (value.IsText()) {
        auto text = engine_.ToText(value);
        if (!text) return tl::unexpected(text.error());
        if (const auto counted = Count(text->size()); !counted) return counted;
        expression.kind = Kind::kString;
        expression.text = std::move(*text);
    } else if (value.IsFunction() || !value.IsObject()) {
        return Throw("a function or symbol is no value of a config");
    } else if (value.IsArray()) {
        expression.kind = Kind::kArray;
        const auto length = engine_.Length(value);
        if (!length) return tl::unexpected(length.error());
        for (std::uint32_t i = 0; i < *length; ++i) {
            const auto item = engine_.Get(value, i);
            if (!item) return tl::unexpected(item.error());
            auto& converted = expression.items.emplace_back();
            converted.offset = expression.offset;
            if (const auto done = Convert(*item, depth + 1, converted); !done) return done;
        }
    } else {
        expression.kind = Kind::kObject;
        const auto keys = engine_.Keys(value);
        if (!keys) return tl::unexpected(keys.error());
        for (const auto& key : *keys) {
            const auto item = engine_.Get(value, key);
            if (!item) return tl::unexpected(item.error());
            if (item->IsUndefined()) continue;  // as if it were not there
            expression.keys.push_back({expression.offset, key});
            auto& converted = expression.items.emplace_back();
            converted.offset = expression.offset;
            if (const auto done = Convert(*item, depth + 1, converted); !done) return done;
        }
    }
    return {};
}

Parsed<Expression> ScriptSession::ToExpression(const Value& value, std::size_t offset,
                                               const std::string& file) {
    Expression expression;
    expression.offset = offset;
    const auto done = Convert(value, 0, expression);
    if (!done) return tl::unexpected(ToProblem(done.error(), offset, file));
    return expression;
}

Parsed<Expression> ScriptSession::ReadConfig(const MadeAction& action, std::size_t offset) {
    const auto config = engine_.Get(action.state, "config");
    if (!config) return tl::unexpected(ToProblem(config.error(), offset, action.location.file));
    return ToExpression(*config, offset, action.location.file);
}

std::pair<std::string, std::string> ScriptSession::ReadOrigin(const MadeAction& action) {
    const auto read = [&](const char* key) {
        const auto origin = engine_.Get(action.state, "origin");
        const auto value = origin ? engine_.Get(*origin, key) : origin;
        return value && value->IsText() ? engine_.ToText(*value).value_or("") : "";
    };
    return {read("schema"), read("database")};
}

Parsed<std::vector<MadeInput>> ScriptSession::ReadInputs(const MadeAction& test,
                                                         std::size_t offset) {
    const auto& file = test.location.file;
    const auto wrong = [&](const Failure& failure) {
        return tl::unexpected(ToProblem(failure, offset, file));
    };
    std::vector<MadeInput> inputs;
    const auto list = engine_.Get(test.state, "inputs");
    if (!list) return wrong(list.error());
    const auto length = engine_.Length(*list);
    if (!length) return wrong(length.error());
    for (std::uint32_t i = 0; i < *length; ++i) {
        auto item = engine_.Get(*list, i);
        if (!item) return wrong(item.error());
        const auto named = engine_.Get(*item, "table");
        if (!named) return wrong(named.error());
        auto table = ToExpression(*named, offset, file);
        if (!table) return tl::unexpected(std::move(table).error());
        inputs.push_back({std::move(*table), {false, test.location, std::move(*item)}});
    }
    return inputs;
}

Outcome<Value> ScriptSession::CallIn(Renderer& renderer, const Value& function,
                                     std::span<const Value> arguments) {
    auto* const outer = std::exchange(renderer_, &renderer);
    auto result = engine_.Call(function, arguments);
    renderer_ = outer;
    return result;
}

Outcome<Value> ScriptSession::CallWithContext(const Value& function, bool incremental,
                                              Renderer& renderer) {
    const std::array<Value, 1> flags = {engine_.MakeBool(incremental)};
    auto context = engine_.Call(context_maker_, flags);
    if (!context) return context;
    const std::array<Value, 1> arguments = {*context};
    return CallIn(renderer, function, arguments);
}

Outcome<std::string> ScriptSession::ToSql(const Value& value) {
    const bool is_nothing = value.IsUndefined() || value.IsFunction();
    if (is_nothing) {
        return Throw(fmt::format("{} makes no SQL: expected text",
                                 value.IsUndefined() ? "undefined" : "a function"));
    }
    auto text = engine_.ToText(value);
    if (!text) return text;
    if (value.IsObject() && *text == "[object Object]")
        return Throw("an object makes no SQL: expected text");
    if (const auto counted = Count(text->size()); !counted) return tl::unexpected(counted.error());
    return text;
}

Parsed<std::vector<std::string>> ScriptSession::MakeSql(const MadeAction& action,
                                                        std::string_view part, bool incremental,
                                                        std::size_t offset, Renderer& renderer) {
    const auto wrong = [&](const Failure& failure) {
        return tl::unexpected(ToProblem(failure, offset, action.location.file));
    };
    std::vector<std::string> texts;
    const auto add = [&](const Value& value) -> Outcome<void> {
        if (value.IsNull() || value.IsUndefined()) return {};
        auto text = ToSql(value);
        if (!text) return tl::unexpected(text.error());
        if (!Trim(*text).empty()) texts.push_back(std::move(*text));
        return {};
    };
    const auto apply = [&](const Value& contextable) -> Outcome<void> {
        const std::array<Value, 3> arguments = {contextable, action.state,
                                                engine_.MakeBool(incremental)};
        const auto value = CallIn(renderer, apply_, arguments);
        if (!value) return tl::unexpected(value.error());
        if (!value->IsArray()) return add(*value);
        const auto length = engine_.Length(*value);
        if (!length) return tl::unexpected(length.error());
        for (std::uint32_t i = 0; i < *length; ++i) {
            const auto item = engine_.Get(*value, i);
            if (!item) return tl::unexpected(item.error());
            if (const auto added = add(*item); !added) return added;
        }
        return {};
    };
    const auto found = engine_.Get(action.state, part);
    if (!found) return wrong(found.error());
    if (found->IsUndefined()) return texts;
    if (part != "preOps" && part != "postOps") {
        if (const auto done = apply(*found); !done) return wrong(done.error());
        return texts;
    }
    const auto length = engine_.Length(*found);
    if (!length) return wrong(length.error());
    for (std::uint32_t i = 0; i < *length; ++i) {
        const auto contextable = engine_.Get(*found, i);
        if (!contextable) return wrong(contextable.error());
        if (const auto done = apply(*contextable); !done) return wrong(done.error());
    }
    return texts;
}

}  // namespace biwa::transform
