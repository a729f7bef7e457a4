#include "script/modules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/text.h"

namespace biwa::script {

namespace {

std::string Folder(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

// "a/b", "../c" -> "a/c"; nothing when it leads out of the project's folder.
std::optional<std::string> JoinPath(const std::string& folder, std::string_view path) {
    std::vector<std::string> parts;
    for (const auto& part : Split(folder + "/" + std::string(path), '/')) {
        if (part.empty() || part == ".") continue;
        if (part != "..") {
            parts.push_back(part);
        } else if (parts.empty()) {
            return std::nullopt;
        } else {
            parts.pop_back();
        }
    }
    return Join(parts, "/");
}

}  // namespace

Modules::Modules(Engine& engine, ReadFile read) : engine_(engine), read_(std::move(read)) {}

void Modules::Provide(std::string name, Value exports) {
    provided_.insert_or_assign(std::move(name), std::move(exports));
}

const std::string* Modules::Text(const std::string& path) {
    const auto [found, is_new] = texts_.try_emplace(path);
    if (is_new) found->second = read_(path);
    return found->second ? &*found->second : nullptr;
}

std::optional<std::string> Modules::ReadBeside(const std::string& file, std::string_view path) {
    const auto joined = JoinPath(Folder(file), path);
    const auto* text = joined ? Text(*joined) : nullptr;
    return text == nullptr ? std::nullopt : std::optional(*text);
}

Outcome<Value> Modules::Load(const std::string& path) {
    const auto begun = modules_.find(path);
    // In a circle of modules this is what has been exported until now.
    if (begun != modules_.end()) return engine_.Get(begun->second, "exports");
    const auto* text = Text(path);
    if (text == nullptr) return tl::unexpected(Failure{"cannot be read", {}, {}});
    auto exports = Run(path, *text);
    if (!exports) modules_.erase(path);
    return exports;
}

Outcome<Value> Modules::Run(const std::string& path, const std::string& text) {
    const auto module = modules_[path] = engine_.MakeObject();
    if (path.ends_with(".json")) {
        auto value = engine_.ParseJson(path, text);
        if (!value) return value;
        if (const auto set = engine_.Set(module, "exports", *value); !set)
            return tl::unexpected(set.error());
        return value;
    }
    const auto exports = engine_.MakeObject();
    if (const auto set = engine_.Set(module, "exports", exports); !set)
        return tl::unexpected(set.error());
    const std::array<Piece, 3> pieces = {
        Piece{"(function (exports, require, module, __filename, __dirname) {"}, Piece{text, 1},
        Piece{"})"}};
    const auto function = engine_.Evaluate(path, pieces);
    if (!function) return function;
    const std::array<Value, 5> arguments = {exports, RequireOf(path), module,
                                            engine_.MakeText(path), engine_.MakeText(Folder(path))};
    const auto ran = engine_.Call(*function, arguments);
    if (!ran) return ran;
    return engine_.Get(module, "exports");
}

Value Modules::RequireOf(const std::string& path) {
    return engine_.MakeFunction(
        "require", [this, path](std::span<const Value> arguments) -> Outcome<Value> {
            if (arguments.empty() || !arguments[0].IsText())
                return tl::unexpected(Failure{"require() takes the name of a module", {}, {}});
            const auto request = engine_.ToText(arguments[0]);
            if (!request) return tl::unexpected(request.error());
            return Require(path, *request);
        });
}

Outcome<Value> Modules::Require(const std::string& from, std::string_view request) {
    const auto fail = [](std::string message) {
        return tl::unexpected(Failure{std::move(message), {}, {}});
    };
    if (const auto own = provided_.find(request); own != provided_.end()) return own->second;
    std::optional<std::string> file;
    if (request.starts_with("./") || request.starts_with("../") || request == "." ||
        request == "..") {
        const auto path = JoinPath(Folder(from), request);
        if (!path) {
            return fail(
                fmt::format("require(\"{}\") leads out of the project's folder, where "
                            "nothing is read",
                            request));
        }
        file = FindFile(*path, true);
    } else {
        const auto path = JoinPath("", request);
        if (!path || request.starts_with('/')) {
            return fail(
                fmt::format("require(\"{}\") leads out of the project's folder, where "
                            "nothing is read",
                            request));
        }
        file = FindFile(*path, true);
        for (auto folder = Folder(from); !file;) {
            const auto packages = folder.empty() ? "node_modules" : folder + "/node_modules";
            file = FindFile(packages + "/" + *path, true);
            if (folder.empty()) break;
            folder = Folder(folder);
        }
    }
    if (!file) {
        constexpr std::array<std::string_view, 9> kOfNode = {
            "fs", "path", "http", "https", "os", "child_process", "crypto", "util", "net"};
        if (std::find(kOfNode.begin(), kOfNode.end(), request) != kOfNode.end() ||
            request.starts_with("node:")) {
            return fail(
                fmt::format("there is no module \"{}\": models have no files, no network "
                            "and nothing else of Node.js",
                            request));
        }
        return fail(
            fmt::format("there is no module \"{}\": neither beside {}, nor in the "
                        "project's folder, nor in node_modules",
                        request, from));
    }
    return Load(*file);
}

std::optional<std::string> Modules::FindFile(const std::string& path, bool may_be_folder) {
    const bool has_extension = path.ends_with(".js") || path.ends_with(".json");
    for (const char* extension : {"", ".js", ".json"}) {
        if (*extension == '\0' && !has_extension) continue;
        if (Text(path + extension) != nullptr) return path + extension;
    }
    if (!may_be_folder) return std::nullopt;
    if (auto main = FindMain(path)) return main;
    for (const char* index : {"index.js", "index.json"}) {
        const auto file = path.empty() ? index : path + "/" + index;
        if (Text(file) != nullptr) return file;
    }
    return std::nullopt;
}

std::optional<std::string> Modules::FindMain(const std::string& folder) {
    const auto file = folder.empty() ? "package.json" : folder + "/package.json";
    const auto* text = Text(file);
    if (text == nullptr) return std::nullopt;
    const auto package = engine_.ParseJson(file, *text);
    if (!package || !package->IsObject()) return std::nullopt;
    const auto main = engine_.Get(*package, "main");
    if (!main || !main->IsText()) return std::nullopt;
    const auto name = engine_.ToText(*main);
    if (!name) return std::nullopt;
    const auto path = JoinPath(folder, *name);
    // A package's main file is its own.
    if (!path || (!folder.empty() && !path->starts_with(folder + "/"))) return std::nullopt;
    return FindFile(*path, *path != folder);
}

}  // namespace biwa::script
