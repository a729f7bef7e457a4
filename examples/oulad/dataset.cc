#include "oulad/dataset.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

#include "base/text.h"

namespace oulad {

using biwa::Result;
using biwa::UserError;

namespace {

constexpr TableFile kTableFiles[] = {
    {"courses", "courses.csv", "code_module, code_presentation, module_presentation_length"},
    {"assessments", "assessments.csv",
     "code_module, code_presentation, id_assessment, assessment_type, date, weight"},
    {"vle", "vle.csv",
     "id_site, code_module, code_presentation, activity_type, week_from, week_to"},
    {"student_info", "studentInfo.csv",
     "code_module, code_presentation, id_student, gender, region, highest_education, imd_band, "
     "age_band, num_of_prev_attempts, studied_credits, disability, final_result"},
    {"student_registration", "studentRegistration.csv",
     "code_module, code_presentation, id_student, date_registration, date_unregistration"},
    {kSubmissionsTable, "studentAssessment.csv",
     "id_assessment, id_student, date_submitted, is_banked, score"},
    {"student_vle", "studentVle.csv",
     "code_module, code_presentation, id_student, id_site, date, sum_click"},
};

std::string_view Unquoted(std::string_view field) {
    if (field.size() >= 2 && field.front() == '"' && field.back() == '"') {
        field.remove_prefix(1);
        field.remove_suffix(1);
    }
    return field;
}

template <typename Integer>
bool ParseInteger(std::string_view text, Integer& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::span<const TableFile> TableFiles() { return kTableFiles; }

Result<std::vector<Submission>> ParseSubmissions(std::string_view csv, std::string_view file) {
    std::vector<Submission> submissions;
    int line_number = 0;
    while (!csv.empty()) {
        const std::size_t end = std::min(csv.find('\n'), csv.size());
        const std::string_view line = biwa::Trim(csv.substr(0, end));
        csv.remove_prefix(std::min(end + 1, csv.size()));
        // The first line names the columns.
        if (++line_number == 1 || line.empty()) continue;

        const auto fields = biwa::Split(line, ',');
        Submission row{};
        std::int16_t score = 0;
        if (fields.size() != 5 || !ParseInteger(Unquoted(fields[0]), row.id_assessment) ||
            !ParseInteger(Unquoted(fields[1]), row.id_student) ||
            !ParseInteger(Unquoted(fields[2]), row.date_submitted) ||
            !ParseInteger(Unquoted(fields[3]), row.is_banked) ||
            !(Unquoted(fields[4]).empty() || ParseInteger(Unquoted(fields[4]), score))) {
            return UserError(
                fmt::format("{}:{}: expected five whole numbers (id_assessment, "
                            "id_student, date_submitted, is_banked, score; score may "
                            "be empty) but found \"{}\"",
                            file, line_number, line));
        }
        if (!Unquoted(fields[4]).empty()) row.score = score;
        submissions.push_back(row);
    }
    return submissions;
}

std::optional<std::int32_t> PresentationStart(std::string_view code_presentation) {
    int year = 0;
    if (code_presentation.size() != 5 || !ParseInteger(code_presentation.substr(0, 4), year)) {
        return std::nullopt;
    }
    const char start = code_presentation[4];
    if (start != 'B' && start != 'J') return std::nullopt;
    const std::chrono::sys_days day =
        std::chrono::year{year} / (start == 'B' ? std::chrono::February : std::chrono::October) / 1;
    return static_cast<std::int32_t>(day.time_since_epoch().count());
}

}  // namespace oulad
