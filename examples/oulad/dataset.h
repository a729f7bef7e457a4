// The CSV files of the Open University Learning Analytics Dataset and the tables they fill.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace oulad {

struct TableFile {
    std::string_view table;
    std::string_view file;
    std::string_view columns;  // in the file's order, which its header has to repeat
};

// Ordered so that a table comes after those that its foreign keys refer to.
std::span<const TableFile> TableFiles();
inline constexpr std::string_view kSubmissionsTable = "student_assessment";

// A row of studentAssessment.csv.
struct Submission {
    std::int32_t id_assessment;
    std::int32_t id_student;
    std::int16_t date_submitted;
    std::int16_t is_banked;
    std::optional<std::int16_t> score;
};

// In the file's order. An error names file and line.
biwa::Result<std::vector<Submission>> ParseSubmissions(std::string_view csv, std::string_view file);

// The day on which a presentation starts, as days since 1970: "2013B" in February, "2013J" in
// October of that year. Nothing for another name.
std::optional<std::int32_t> PresentationStart(std::string_view code_presentation);

}  // namespace oulad
