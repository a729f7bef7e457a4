// Japanese names of people who do not exist, with their readings.
#pragma once

#include <string_view>

#include "juku/random.h"

namespace juku {

struct Name {
    std::string_view written;  // 佐藤
    std::string_view kana;     // サトウ
    std::string_view latin;    // sato
};

const Name& FamilyName(Random& random);
const Name& ChildName(Random& random);
// Of a parent's generation.
const Name& MotherName(Random& random);
const Name& FatherName(Random& random);
std::string_view Nickname(Random& random);
std::string_view Prefecture(Random& random);

}  // namespace juku
