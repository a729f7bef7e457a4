// The keys of a config block, for completion and hover. What the compiler takes is its own matter
// (compile/config.h); a test holds the two together.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace biwa::lsp {

struct ConfigKey {
    std::string_view name;
    std::string_view description;
    // What its value is made of.
    enum class Value { kText, kTexts, kBool, kTable, kTables, kColumns, kColumnNames, kObject };
    Value value = Value::kText;
    std::vector<std::string_view> choices;  // of a text
};

// Of config { … } itself or, with a path, of an object in it: {"assertions"}, {"columns", "x"}.
std::span<const ConfigKey> ConfigKeysAt(const std::vector<std::string>& path);
// nullptr when there is none.
const ConfigKey* FindConfigKey(const std::vector<std::string>& path, std::string_view name);

}  // namespace biwa::lsp
