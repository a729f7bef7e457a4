// Names and texts for files that are generated.
#pragma once

#include <string>
#include <string_view>

namespace biwa {

// Letters, digits, _ and - of a text; `fallback` when nothing readable is left.
std::string PlainName(std::string_view text, const std::string& fallback);

// A text as a YAML value on one line, quoted where it has to be.
std::string YamlText(const std::string& text);

// A text as a string literal of JavaScript, with its quotes.
std::string JsText(const std::string& text);

// ASCII letters small.
std::string LowerCase(std::string text);

}  // namespace biwa
