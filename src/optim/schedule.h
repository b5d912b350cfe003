/* The schedules' names, in the order of `optim.schedule`'s choices. */
#ifndef ELMPI_OPTIM_SCHEDULE_H
#define ELMPI_OPTIM_SCHEDULE_H

enum { ELM_SCHEDULE_CONSTANT, ELM_SCHEDULE_MULTISTEP, ELM_SCHEDULE_COSINE };
#define ELM_SCHEDULE_NAMES "constant|multistep|cosine"

#endif
