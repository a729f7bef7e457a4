// The people and the problems of the school, and the SQL forms of what the simulation deals in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "database/database.h"
#include "juku/learning.h"

namespace juku {

struct SchoolSize {
    std::uint64_t seed = 1;
    int students = 0;
    std::int32_t first_day = 0;  // of the history, and the last; days since 1970 in Tokyo
    std::int32_t last_day = 0;

    int classrooms() const { return std::max(kGrades, students / 18); }
    int organizations() const { return std::max(2, classrooms() / 12); }
};

// What the simulation has to know about pupil number `index` (from 0; the id is one more).
struct Pupil {
    std::uint64_t public_id_high;
    std::uint64_t public_id_low;
    int classroom;
    int grade;
    std::int32_t enrolled_on;
    std::int32_t fades_on;  // loses interest from this day on; never: INT32_MAX
    bool left;              // and has told so
};
Pupil MakePupil(const SchoolSize& size, int index);

// Fills organizations, classrooms, students, guardians, subjects, units and problems by COPY.
biwa::Status LoadSchool(biwa::examples::Database& database, const SchoolSize& size);

enum class SessionKind : std::uint8_t { kPractice, kHomework, kReview, kTest };
SessionKind ChooseSessionKind(Random& random);
std::string_view ToSql(SessionKind kind);
// How many problems a session of the kind has.
int ChooseSessionLength(Random& random, SessionKind kind);

// A JSON object such as {"os": "iPadOS", "app": "4.2.1", "screen": [1180, 820]}
std::string_view Device(int index);
inline constexpr int kDevices = 6;

// What the pupil wrote. A wrong response differs from the right one.
std::string ResponseText(Random& random, int problem, ProblemFormat format, bool correct);
// In tenths of a point. A wrong answer in words may have earned a half.
int ScoreTenths(Random& random, const Problem& problem, bool correct);

// "haruto.sato.12@example.jp"
std::string Email(std::string_view given, std::string_view family, std::int64_t number);

}  // namespace juku
