// CommonJS: `require` of a project's own .js and .json files, by relative path, by path from the
// project's folder ("includes/x") or from node_modules. Nothing outside of the project is reached.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "script/engine.h"

namespace biwa::script {

class Modules {
  public:
    // The text of a file, by its path from the project's folder ("includes/dates.js"); nothing when
    // there is no such file inside of the project. Paths hold no "..".
    using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;

    // The engine must outlive this.
    Modules(Engine& engine, ReadFile read);

    // What `require(name)` gives, whatever files there are.
    void Provide(std::string name, Value exports);
    // What the file exports; it is run the first time only.
    Outcome<Value> Load(const std::string& path);
    // `require` as it is in the file of that path.
    Value RequireOf(const std::string& path);
    // The text of a file named from beside another one; nothing when there is none in the project.
    std::optional<std::string> ReadBeside(const std::string& file, std::string_view path);

  private:
    Outcome<Value> Run(const std::string& path, const std::string& text);
    Outcome<Value> Require(const std::string& from, std::string_view request);
    // The file that a path means: itself, with .js or .json, a package's, a folder's index.
    std::optional<std::string> FindFile(const std::string& path, bool may_be_folder);
    std::optional<std::string> FindMain(const std::string& folder);
    const std::string* Text(const std::string& path);

    Engine& engine_;
    const ReadFile read_;
    std::map<std::string, Value, std::less<>> provided_;
    std::map<std::string, std::optional<std::string>> texts_;
    std::map<std::string, Value> modules_;  // `module` of each file that was begun
};

}  // namespace biwa::script
