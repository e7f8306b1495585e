// The runner many times in one process: each line of standard input is one command line (words parted by tabs), each
// line of standard output its exit code and what it wrote to standard error, newlines shown as '|'.
#define main runner_main
#include "e2e_infer.cc"
#undef main

#include <sstream>

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::vector<std::string> words{"e2e_infer"};
    std::istringstream stream(line);
    for (std::string word; std::getline(stream, word, '\t');)
      words.push_back(word);
    std::vector<char*> arguments;
    for (std::string& word : words)
      arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::ostringstream errors;
    std::streambuf* before = std::cerr.rdbuf(errors.rdbuf());
    const int code = runner_main(static_cast<int>(words.size()), arguments.data());
    std::cerr.rdbuf(before);
    std::string text = errors.str();
    std::replace(text.begin(), text.end(), '\n', '|');
    std::cout << code << " " << text << std::endl;
  }
}
