// What is taught: subjects, and for each subject and grade the units of a school year in order.
#pragma once

#include <array>
#include <string_view>

namespace juku {

inline constexpr int kSubjects = 5;
inline constexpr int kGradeMin = 4;  // fourth year of elementary school
inline constexpr int kGrades = 6;    // to the third of junior high school, grade 9
inline constexpr int kUnitsPerGrade = 6;
inline constexpr int kUnits = kSubjects * kGrades * kUnitsPerGrade;
inline constexpr int kProblemsPerUnit = 24;
inline constexpr int kProblems = kUnits * kProblemsPerUnit;

struct Subject {
    std::string_view code;
    std::string_view name;
    // Mean of the log of a response's seconds at middling difficulty.
    double log_seconds;
    // [grade - kGradeMin][position]
    std::array<std::array<std::string_view, kUnitsPerGrade>, kGrades> units;
};

extern const std::array<Subject, kSubjects> kCurriculum;

// Units and problems count from 0 here; in the database from 1.
constexpr int UnitOf(int subject, int grade, int position) {
    return (subject * kGrades + grade - kGradeMin) * kUnitsPerGrade + position;
}
constexpr int SubjectOfUnit(int unit) { return unit / (kGrades * kUnitsPerGrade); }
constexpr int GradeOfUnit(int unit) { return unit / kUnitsPerGrade % kGrades + kGradeMin; }
constexpr int PositionOfUnit(int unit) { return unit % kUnitsPerGrade; }
constexpr int UnitOfProblem(int problem) { return problem / kProblemsPerUnit; }
inline std::string_view UnitName(int unit) {
    return kCurriculum[SubjectOfUnit(unit)]
        .units[GradeOfUnit(unit) - kGradeMin][PositionOfUnit(unit)];
}

}  // namespace juku
