// What stands at a place of a definition file that is being typed: what could go on there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lsp/text_index.h"

namespace biwa::lsp {

struct Cursor {
    enum class Kind {
        kNothing,      // in a comment, a string of SQL, a file that is no definition
        kReference,    // a string in ref( or resolve(
        kFunction,     // a name in ${ }
        kConfigKey,    // a key of the object at `path`
        kConfigValue,  // the value of the last of `path`
        kSql,          // a word of SQL
    };
    Kind kind = Kind::kNothing;
    Span word;                        // what is there of it, without quotes
    bool in_string = false;           // of JavaScript
    std::vector<std::string> path;    // keys from the config's top on
    std::vector<std::string> before;  // kReference: the arguments in front
    std::string qualifier;            // kSql: the "a" of "a.b"
};

Cursor FindCursor(const std::string& file, std::string_view text, std::size_t offset);

// The placeholder's names in SQL: "FROM ${ref("x")} AS a" is an "a" for the span of ${…}.
struct Alias {
    std::string name;
    Span table;
};
std::vector<Alias> FindAliases(std::string_view text);

}  // namespace biwa::lsp
