/* How a function of assembly is named and marked: ELF and Mach-O differ. Included by .S files. */
#ifndef AIOL__TASK_CONTEXT_SYMBOL_H
#define AIOL__TASK_CONTEXT_SYMBOL_H

#ifdef __ELF__
#define SYMBOL(name) name
#define HIDDEN .hidden
#else
#define SYMBOL(name) _##name
#define HIDDEN .private_extern
#endif

#endif
