/* Paper: the ELM paper's Table 2. */
#ifndef ELMPI_REPORT_PAPER_H
#define ELMPI_REPORT_PAPER_H

/** Balanced accuracy in per cent of the method whose job's name, say cifar100-lt-elm, a run's
 * name is or begins with; NaN for others. Method [64] is set to what the paper calls it. */
double elm_paper_accuracy(const char *run, char *method);

#endif
