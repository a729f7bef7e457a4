#include <algorithm>
#include <utility>

#include "project/project.h"

namespace biwa {

const std::string* Variables::Find(std::string_view name) const {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.first == name; });
    return found == all.end() ? nullptr : &found->second;
}

void Variables::Set(const std::string& name, std::string value) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.first == name; });
    if (found == all.end()) {
        all.emplace_back(name, std::move(value));
    } else {
        found->second = std::move(value);
    }
}

}  // namespace biwa
