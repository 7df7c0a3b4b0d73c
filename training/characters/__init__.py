"""Character-level language models: which character comes next, learnt from raw text.

After Karpathy, *The Unreasonable Effectiveness of Recurrent Neural Networks* (2015), and Karpathy,
Johnson and Fei-Fei, *Visualizing and Understanding Recurrent Networks* (2016): a recurrent network
reads one-hot characters in short chunks, carries its state from each chunk to the next, and
tells the probability of every character to follow. It can be sampled, and some of its units read.
"""
