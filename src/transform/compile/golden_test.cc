// Each folder of tests/golden/compile is a project: its definitions, settings.json, and what they
// compile to in expected.json (or expected.txt, the errors). `--update` writes those anew.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "transform/compile/compile.h"
#include "transform/compile/dataform_json.h"

namespace biwa::transform {
namespace {

const std::filesystem::path kGoldens = "tests/golden/compile";
bool update_goldens = false;

CompileInput ReadInput(const std::filesystem::path& folder) {
    CompileInput input;
    const auto settings = nlohmann::json::parse(ReadFile(folder / "settings.json").value());
    input.settings.default_dataset = settings.at("default_dataset");
    for (const auto& [name, value] : settings.value("vars", std::map<std::string, std::string>()))
        input.settings.vars.Set(name, value);
    for (const auto& table : settings.value("tables", std::vector<std::vector<std::string>>()))
        input.tables.insert({table.at(0), table.at(1)});
    for (const auto& dataset : settings.value("stream_datasets", std::vector<std::string>()))
        input.stream_datasets.insert(dataset);
    for (auto [name, files] :
         {std::pair{"definitions", &input.files}, std::pair{"includes", &input.includes}}) {
        if (!std::filesystem::exists(folder / name)) continue;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / name)) {
            if (!entry.is_regular_file()) continue;
            files->push_back({std::filesystem::relative(entry.path(), folder).generic_string(),
                              ReadFile(entry.path()).value()});
        }
        std::sort(files->begin(), files->end(),
                  [](const auto& a, const auto& b) { return a.path < b.path; });
    }
    input.read_file = [folder](const std::string& path) -> std::optional<std::string> {
        auto text = ReadFile(folder / path);
        return text ? std::optional(std::move(*text)) : std::nullopt;
    };
    return input;
}

class GoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(GoldenTest, CompilesToWhatIsExpected) {
    const auto folder = kGoldens / GetParam();
    const auto input = ReadInput(folder);
    const auto graph = Compile(input);
    const auto file = folder / (graph ? "expected.json" : "expected.txt");
    const auto found =
        graph ? ToDataformJson(CompileAll(input), input.settings) : graph.error().message + "\n";
    if (update_goldens) {
        std::filesystem::remove(folder / "expected.json");
        std::filesystem::remove(folder / "expected.txt");
        ASSERT_TRUE(WriteFileAtomically(file, found));
    }
    const auto expected = ReadFile(file);
    ASSERT_TRUE(expected) << "no " << file << "; found:\n" << found;
    EXPECT_EQ(*expected, found);
}

std::vector<std::string> Folders() {
    std::vector<std::string> folders;
    for (const auto& entry : std::filesystem::directory_iterator(kGoldens))
        folders.push_back(entry.path().filename().string());
    std::sort(folders.begin(), folders.end());
    return folders;
}

INSTANTIATE_TEST_SUITE_P(Compile, GoldenTest, testing::ValuesIn(Folders()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace biwa::transform

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    biwa::transform::update_goldens = argc > 1 && std::string(argv[1]) == "--update";
    return RUN_ALL_TESTS();
}
