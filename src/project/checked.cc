// The values of a checked document, by name.
#include <charconv>

#include "project/quantity.h"
#include "project/yaml_check.h"

namespace biwa {

const Checked* Checked::Find(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? nullptr : &found->second;
}

std::string Checked::Text(const std::string& name) const {
    const auto* found = Find(name);
    return found ? found->text : std::string();
}

std::int64_t Checked::Integer(const std::string& name) const {
    const auto text_of = Text(name);
    std::int64_t number = 0;
    std::from_chars(text_of.data(), text_of.data() + text_of.size(), number);
    return number;
}

bool Checked::Boolean(const std::string& name) const { return Text(name) == "true"; }

std::chrono::milliseconds Checked::Duration(const std::string& name) const {
    return ParseDuration(Text(name)).value_or(std::chrono::milliseconds(0));
}

std::uint64_t Checked::Bytes(const std::string& name) const {
    return ParseBytes(Text(name)).value_or(0);
}

std::vector<std::string> Checked::Texts(const std::string& name) const {
    std::vector<std::string> texts;
    if (const auto* found = Find(name)) {
        for (const auto& item : found->items) texts.push_back(item.text);
    }
    return texts;
}

SourceLocation Checked::Place(const std::string& name) const {
    const auto* found = Find(name);
    return found ? found->location : location;
}

}  // namespace biwa
