#include "project/scaffold_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace biwa {

std::string LowerCase(std::string text) {
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

std::string PlainName(std::string_view text, const std::string& fallback) {
    std::string name;
    for (const char c : text.substr(0, 40)) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '_' || (c == '-' && !name.empty());
        if (plain) {
            name += c;
        } else if (!name.empty() && name.back() != '_') {
            name += '_';
        }
    }
    while (!name.empty() && name.back() == '_') name.pop_back();
    return name.empty() ? fallback : name;
}

std::string YamlText(const std::string& text) {
    const auto is_word = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.' || c == '/';
    };
    // Words that YAML takes for something else begin with another character, or are few.
    const auto lower = LowerCase(text);
    const bool is_plain =
        !text.empty() && std::all_of(text.begin(), text.end(), is_word) &&
        ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z')) &&
        lower != "true" && lower != "false" && lower != "null" && lower != "yes" && lower != "no" &&
        lower != "on" && lower != "off" && lower != "y" && lower != "n";
    return is_plain ? text : JsText(text);
}

std::string JsText(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace biwa
