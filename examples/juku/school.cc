#include "juku/school.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>

#include "database/copy_writer.h"
#include "juku/calendar.h"
#include "juku/names.h"

namespace juku {

using biwa::Result;
using biwa::Status;
using biwa::examples::CopyBuffer;
using biwa::examples::CopyWriter;
using biwa::examples::Database;

namespace {

enum Kind : std::uint64_t { kPupilNumbers = 1, kPersonNumbers, kRoomNumbers, kOrganizationNumbers };

constexpr std::int32_t kNever = std::numeric_limits<std::int32_t>::max();

biwa::Micros Noon(std::int32_t day) { return day * kDay + 3 * kHour; }

int ClassroomGrade(int classroom) { return kGradeMin + classroom % kGrades; }

// One COPY of `rows` rows, each written by write(buffer, row).
template <typename Write>
Status CopyTable(Database& database, std::string_view table, std::string_view columns, int rows,
                 int fields, Write write) {
    auto copy = BIWA_TRY(CopyWriter::Begin(database, table, columns, /*freeze=*/true));
    for (int row = 0; row < rows; ++row) write(*BIWA_TRY(copy.Row(fields)), row);
    BIWA_TRY(copy.Finish());
    return {};
}

Status LoadOrganizations(Database& database, const SchoolSize& size) {
    constexpr std::array<std::string_view, 3> kKinds = {"juku", "school", "home"};
    constexpr std::array<std::string_view, 8> kNames = {"湖東",   "青葉", "若竹", "桜丘",
                                                        "みらい", "瀬田", "星陵", "白鷺"};
    const auto day = size.first_day;
    BIWA_TRY(CopyTable(database, "organizations", "id, name, kind, prefecture, created_at",
                       size.organizations(), 5, [&](CopyBuffer& row, int i) {
                           auto random = Random::For(size.seed, kOrganizationNumbers,
                                                     static_cast<std::uint64_t>(i));
                           const int kind = i % 5 < 3 ? 0 : i % 5 == 3 ? 1 : 2;
                           const auto name = random.Of(kNames);
                           constexpr std::array<std::string_view, 3> kSuffixes = {
                               "進学塾", "中等学校", "在宅学習"};
                           row.Int64(i + 1)
                               .Text(fmt::format("{}{} {}", name,
                                                 kSuffixes[static_cast<std::size_t>(kind)], i + 1))
                               .Text(kKinds[static_cast<std::size_t>(kind)])
                               .Text(Prefecture(random))
                               .TimestampTz(Noon(day - 1000 - random.Below(1500)));
                       }));
    return CopyTable(
        database, "classrooms", "id, organization_id, name, grade, teacher_name, opened_on",
        size.classrooms(), 6, [&](CopyBuffer& row, int i) {
            auto random = Random::For(size.seed, kRoomNumbers, static_cast<std::uint64_t>(i));
            const int grade = ClassroomGrade(i);
            row.Int64(i + 1)
                .Int64(i % size.organizations() + 1)
                .Text(fmt::format("{}{}年 {}組", grade <= 6 ? "小" : "中",
                                  grade <= 6 ? grade : grade - 6, i / kGrades + 1))
                .Int16(static_cast<std::int16_t>(grade));
            if (random.Chance(0.9)) {
                row.Text(
                    fmt::format("{} {}", FamilyName(random).written, MotherName(random).written));
            } else {
                row.Null();
            }
            row.Date(day - 950 - random.Below(500));
        });
}

// The names of a pupil and the family are drawn from numbers of their own: students and guardians
// are written by two COPYs.
struct Person {
    Person(const SchoolSize& size, int index)
        : random(Random::For(size.seed, kPersonNumbers, static_cast<std::uint64_t>(index))),
          family(FamilyName(random)),
          given(ChildName(random)) {}
    Random random;
    const Name& family;
    const Name& given;
};

std::int32_t Birthday(const SchoolSize& size, int grade, Random& random) {
    // Who is six on the first of April enters the first grade; the year's children are born from
    // the second of April on.
    const int year = SchoolYear(size.last_day) - 6 - grade;
    const std::chrono::sys_days first = std::chrono::year{year} / std::chrono::April / 2;
    return static_cast<std::int32_t>(first.time_since_epoch().count()) + random.Below(365);
}

Status LoadPeople(Database& database, const SchoolSize& size) {
    BIWA_TRY(CopyTable(
        database, "students",
        "id, public_id, classroom_id, nickname, family_name, given_name, family_kana, given_kana, "
        "email, birthday, grade, enrolled_on, left_on, updated_at",
        size.students, 14, [&](CopyBuffer& row, int i) {
            const Pupil pupil = MakePupil(size, i);
            Person person(size, i);
            Random& random = person.random;
            row.Int64(i + 1)
                .Uuid(pupil.public_id_high, pupil.public_id_low)
                .Int64(pupil.classroom + 1)
                .Text(fmt::format("{}{}", Nickname(random), random.Below(100)))
                .Text(person.family.written)
                .Text(person.given.written)
                .Text(person.family.kana)
                .Text(person.given.kana);
            if (random.Chance(0.7)) {
                row.Text(Email(person.given.latin, person.family.latin, i + 1));
            } else {
                row.Null();
            }
            row.Date(Birthday(size, pupil.grade, random))
                .Int16(static_cast<std::int16_t>(pupil.grade))
                .Date(pupil.enrolled_on);
            const std::int32_t left_on = pupil.fades_on == kNever ? kNever : pupil.fades_on + 10;
            if (pupil.left && left_on < size.last_day) {
                row.Date(left_on).TimestampTz(Noon(left_on));
            } else {
                row.Null().TimestampTz(Noon(pupil.enrolled_on));
            }
        }));
    auto copy = BIWA_TRY(CopyWriter::Begin(database, "guardians",
                                           "id, student_id, relation, family_name, given_name, "
                                           "family_kana, given_kana, email, phone, wants_mail",
                                           /*freeze=*/true));
    std::int64_t id = 0;
    for (int i = 0; i < size.students; ++i) {
        const Person person(size, i);
        auto random = Random::For(size.seed, kPersonNumbers + 1000, static_cast<std::uint64_t>(i));
        const int guardians = random.Chance(0.45) ? 2 : 1;
        for (int g = 0; g < guardians; ++g) {
            const bool mother = (g == 0) == random.Chance(0.85);
            const Name& given = mother ? MotherName(random) : FatherName(random);
            CopyBuffer& row = *BIWA_TRY(copy.Row(10));
            ++id;
            row.Int64(id)
                .Int64(i + 1)
                .Text(mother ? "mother" : "father")
                .Text(person.family.written)
                .Text(given.written)
                .Text(person.family.kana)
                .Text(given.kana)
                .Text(Email(given.latin, person.family.latin, id));
            if (random.Chance(0.8)) {
                row.Text(fmt::format("090-0000-{:04}", random.Below(10'000)));
            } else {
                row.Null();
            }
            row.Bool(random.Chance(0.75));
        }
    }
    BIWA_TRY(copy.Finish());
    return {};
}

Status LoadCurriculum(Database& database, const SchoolSize& size) {
    BIWA_TRY(
        CopyTable(database, "subjects", "id, code, name", kSubjects, 3, [](CopyBuffer& row, int i) {
            const Subject& subject = kCurriculum[static_cast<std::size_t>(i)];
            row.Int64(i + 1).Text(subject.code).Text(subject.name);
        }));
    BIWA_TRY(CopyTable(database, "units", "id, subject_id, grade, position, name", kUnits, 5,
                       [](CopyBuffer& row, int i) {
                           row.Int64(i + 1)
                               .Int64(SubjectOfUnit(i) + 1)
                               .Int16(static_cast<std::int16_t>(GradeOfUnit(i)))
                               .Int16(static_cast<std::int16_t>(PositionOfUnit(i) + 1))
                               .Text(UnitName(i));
                       }));
    return CopyTable(
        database, "problems",
        "id, unit_id, format, title, difficulty, discrimination, points, tags, created_at",
        kProblems, 9, [&](CopyBuffer& row, int i) {
            const Problem problem = MakeProblem(size.seed, i);
            const int unit = UnitOfProblem(i);
            constexpr std::array<std::string_view, 3> kFormats = {"choice", "number", "text"};
            std::vector<std::string> tags;
            if (problem.difficulty < -0.5) tags.emplace_back("基本");
            if (problem.difficulty > 0.9) tags.emplace_back("応用");
            if (i % 7 == 0) tags.emplace_back("入試");
            row.Int64(i + 1)
                .Int64(unit + 1)
                .Text(kFormats[static_cast<std::size_t>(problem.format)])
                .Text(fmt::format("{} 問{}", UnitName(unit), i % kProblemsPerUnit + 1))
                .Numeric(std::lround(problem.difficulty * 1000), 3)
                .Numeric(std::lround(problem.discrimination * 1000), 3)
                .Numeric(problem.points_tenths, 1)
                .TextArray(tags)
                .TimestampTz(Noon(size.first_day - 400 + unit));
        });
}

}  // namespace

Pupil MakePupil(const SchoolSize& size, int index) {
    auto random = Random::For(size.seed, kPupilNumbers, static_cast<std::uint64_t>(index));
    Pupil pupil;
    // The bits of a random uuid (RFC 9562, version 4).
    pupil.public_id_high = (random.Next() & ~0xF000ull) | 0x4000ull;
    pupil.public_id_low = (random.Next() >> 2) | (1ull << 63);
    pupil.classroom = random.Below(size.classrooms());
    pupil.grade = ClassroomGrade(pupil.classroom);
    const int days = size.last_day - size.first_day;
    pupil.enrolled_on = random.Chance(0.12) ? size.first_day + random.Below(days)
                                            : size.first_day - 1 - random.Below(900);
    pupil.fades_on =
        random.Chance(0.1) ? size.last_day - random.Below(std::max(1, days / 2)) : kNever;
    pupil.left = random.Chance(0.4);
    return pupil;
}

Status LoadSchool(Database& database, const SchoolSize& size) {
    BIWA_TRY(LoadOrganizations(database, size));
    BIWA_TRY(LoadPeople(database, size));
    return LoadCurriculum(database, size);
}

SessionKind ChooseSessionKind(Random& random) {
    const double draw = random.Uniform();
    return draw < 0.5    ? SessionKind::kPractice
           : draw < 0.82 ? SessionKind::kHomework
           : draw < 0.95 ? SessionKind::kReview
                         : SessionKind::kTest;
}

std::string_view ToSql(SessionKind kind) {
    constexpr std::array<std::string_view, 4> kNames = {"practice", "homework", "review", "test"};
    return kNames[static_cast<std::size_t>(kind)];
}

int ChooseSessionLength(Random& random, SessionKind kind) {
    switch (kind) {
        case SessionKind::kPractice:
            return 5 + random.Below(14);
        case SessionKind::kHomework:
            return 8 + random.Below(8);
        case SessionKind::kReview:
            return 4 + random.Below(7);
        case SessionKind::kTest:
            return 20;
    }
    return 10;
}

std::string_view Device(int index) {
    constexpr std::array<std::string_view, kDevices> kNames = {
        R"({"os": "iPadOS", "app": "4.2.1", "screen": [1180, 820]})",
        R"({"os": "iPadOS", "app": "4.2.0", "screen": [1024, 768]})",
        R"({"os": "ChromeOS", "app": "4.2.1", "screen": [1366, 912]})",
        R"({"os": "Windows", "app": "4.1.7", "screen": [1920, 1080]})",
        R"({"os": "Android", "app": "4.2.1", "screen": [412, 915], "phone": true})",
        R"({"os": "iOS", "app": "4.2.1", "screen": [390, 844], "phone": true})"};
    return kNames[static_cast<std::size_t>(index)];
}

std::string ResponseText(Random& random, int problem, ProblemFormat format, bool correct) {
    constexpr std::array<std::string_view, 4> kChoices = {"ア", "イ", "ウ", "エ"};
    constexpr std::array<std::string_view, 8> kWords = {"光合成", "比例する",  "自由民権運動",
                                                        "対照的", "have been", "筆者の考え",
                                                        "水蒸気", "二等分線"};
    const auto key = static_cast<std::size_t>(problem) * 7;
    const std::size_t off = correct ? 0 : 1 + static_cast<std::size_t>(random.Below(3));
    switch (format) {
        case ProblemFormat::kChoice:
            return std::string(kChoices[(key + off) % kChoices.size()]);
        case ProblemFormat::kNumber:
            return fmt::format("{}", (key * 13) % 197 + off);
        case ProblemFormat::kText:
            return std::string(kWords[(key + off) % kWords.size()]);
    }
    return "";
}

int ScoreTenths(Random& random, const Problem& problem, bool correct) {
    if (correct) return problem.points_tenths;
    return problem.format == ProblemFormat::kText && random.Chance(0.3) ? problem.points_tenths / 2
                                                                        : 0;
}

std::string Email(std::string_view given, std::string_view family, std::int64_t number) {
    return fmt::format("{}.{}.{}@example.jp", given, family, number);
}

}  // namespace juku
