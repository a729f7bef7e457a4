// Settings described as data: one description checks a file, makes its JSON Schema and its page of
// the reference.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace biwa {

enum class SettingType {
    kText,
    kInteger,
    kBoolean,
    kDuration,  // "500ms", "30s", "5m", "2h", "1d"
    kBytes,     // "64MB", "4GiB"
    kSecret,    // text that must be a reference: ${env:NAME} or ${file:/path}
    kPath,      // a file; one that is relative begins at the project's folder
    kTextList,  // one text or a list of texts
    kObject,    // with `fields`
    kObjectList,
    kMap,  // free names, each with `fields`, or texts where there are none
};

struct Setting {
    std::string name;
    SettingType type = SettingType::kText;
    std::string description = {};
    bool required = false;
    std::string default_text = {};          // as it would stand in the file; "" where there is none
    std::vector<std::string> choices = {};  // kText: one of these; empty means any
    std::vector<Setting> fields = {};       // kObject, kObjectList, kMap
    // kText, kMap of texts: an expression (ECMAScript) that texts match as a whole, for the JSON
    // Schema; whoever reads the setting checks it, and says more of what is wrong. YAML's null is
    // then the word "null".
    std::string pattern = {};
    std::int64_t min = 0;  // kInteger
    std::int64_t max = std::numeric_limits<std::int32_t>::max();
};

}  // namespace biwa
