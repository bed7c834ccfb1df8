"""Git: dulwich lives here and nowhere else. What is here knows commits, trees and remotes, and no tables."""
